package replay_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/writhq/writ/pkg/cli/internal/replay"
)

// watched is what a browser did with a page.
type watched struct {
	requests   []string
	complaints []string
	ran        bool
	styled     bool
}

// show opens a file in Chromium.
func show(t *testing.T, file string) (seen watched) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no Chromium: run scripts/need chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	events := make(chan any, 1000)
	err = chromedp.Listen(ctx, func(event any) {
		select {
		case events <- event:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	_, err2 := chromedp.Call(ctx, network.Enable, network.EnableParams{})
	_, err3 := chromedp.Call(ctx, runtime.Enable, cdp.Empty{})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Fatal(err)
	}
	address := (&url.URL{Scheme: "file", Path: file}).String()
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatal(err)
	}
	seen.ran, err = chromedp.Run(ctx, chromedp.Evaluate[bool]("document.documentElement.dataset.ran === 'yes'"))
	if err != nil {
		t.Fatal(err)
	}
	seen.styled, err = chromedp.Run(ctx, chromedp.Evaluate[bool]("getComputedStyle(document.querySelector('main') || document.body).maxWidth !== 'none'"))
	if err != nil {
		t.Fatal(err)
	}
	for {
		select {
		case event := <-events:
			seen.take(event, address)
			continue
		default:
		}
		return seen
	}
}

func (w *watched) take(event any, address string) {
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Request.URL != address {
			w.requests = append(w.requests, e.Request.URL)
		}
	case *log.EventEntryAdded:
		w.complaints = append(w.complaints, e.Entry.Text)
	case *runtime.EventExceptionThrown:
		w.complaints = append(w.complaints, e.ExceptionDetails.Text)
	}
}

// In a browser a page of hostile records runs nothing, asks nobody for anything, and has its style.
func TestPageInABrowser(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer server.Close()
	attack := `</pre></td></title></style><script>document.documentElement.dataset.ran='yes'</script><img src="` + server.URL + `/i" onerror="document.documentElement.dataset.ran='yes'">` +
		`<link rel=stylesheet href="` + server.URL + `/s"><meta http-equiv=refresh content="0;url=` + server.URL + `"><iframe src="` + server.URL + `/f"></iframe>`
	page, err := pageOf(t, replay.PageConfig{Session: attack, Made: attack}, everything(attack)...)
	if err != nil {
		t.Fatal(err)
	}
	seen := show(t, written(t, page))
	if len(seen.requests) > 0 || len(seen.complaints) > 0 || asked.Load() > 0 || seen.ran || !seen.styled {
		t.Errorf("%+v, %d requests came", seen, asked.Load())
	}
	// Were something of a record markup after all, the page's policy holds.
	broken := strings.Replace(page, "<main>", "<main>"+attack[strings.Index(attack, "<script>"):strings.Index(attack, "<meta")]+
		attack[strings.Index(attack, "<iframe"):], 1)
	seen = show(t, written(t, broken))
	blocked := strings.Contains(strings.Join(seen.complaints, "\n"), "Content Security Policy")
	if asked.Load() > 0 || seen.ran || !blocked || !seen.styled {
		t.Errorf("%+v, %d requests came", seen, asked.Load())
	}
}

func written(t *testing.T, page string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, []byte(page), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
