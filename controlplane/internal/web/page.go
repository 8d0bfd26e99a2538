package web

import (
	_ "embed"
	"html/template"
	"net/http"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle []byte

var pageTemplate = template.Must(template.New("page").Parse(pageSource))

// page is a page that is served without the console.
type page struct {
	Title, Text, Command, Link, LinkText string
}

func (p page) write(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = pageTemplate.Execute(w, p) // the reader may have gone
}

// failure tells a person that the sign-in failed.
func failure(w http.ResponseWriter, status int, text string) {
	page{Title: "You are not signed in", Text: text + ".", Link: "/", LinkText: "Back to Writ"}.write(w, status)
}

func serveStyle(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = w.Write(pageStyle)
}
