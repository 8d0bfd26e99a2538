package s3test

import (
	"encoding/xml"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// STS is one that lets everybody assume every role, and gives one key for all of them. It verifies nothing: what is to be
// verified is what is signed with that key.
type STS struct {
	// Key, Secret and Token are what it gives.
	Key, Secret, Token string
}

// Start serves it until the test or whoever calls closes it.
func (s *STS) Start() *httptest.Server { return httptest.NewServer(s) }

type assumed struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ AssumeRoleResponse"`
	Keys    struct {
		AccessKeyID     string `xml:"AccessKeyId"`
		SecretAccessKey string
		SessionToken    string
		Expiration      string
	} `xml:"AssumeRoleResult>Credentials"`
	User struct {
		ARN string `xml:"Arn"`
		ID  string `xml:"AssumedRoleId"`
	} `xml:"AssumeRoleResult>AssumedRoleUser"`
}

// ServeHTTP implements http.Handler.
func (s *STS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/xml")
	switch r.FormValue("Action") {
	case "AssumeRole":
		s.assume(w, r)
	case "GetCallerIdentity":
		answer(w, identity{Account: Account, ARN: "arn:aws:sts::" + Account + ":assumed-role/agents/session", UserID: "AROATEST:session"})
	default:
		http.Error(w, "<ErrorResponse><Error><Code>InvalidAction</Code></Error></ErrorResponse>", http.StatusBadRequest)
	}
}

// Account is whose roles STS gives.
const Account = "123456789012"

type identity struct {
	XMLName xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ GetCallerIdentityResponse"`
	Account string   `xml:"GetCallerIdentityResult>Account"`
	ARN     string   `xml:"GetCallerIdentityResult>Arn"`
	UserID  string   `xml:"GetCallerIdentityResult>UserId"`
}

func (s *STS) assume(w http.ResponseWriter, r *http.Request) {
	var out assumed
	out.Keys.AccessKeyID, out.Keys.SecretAccessKey, out.Keys.SessionToken = s.Key, s.Secret, s.Token
	out.Keys.Expiration = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	out.User.ARN, out.User.ID = r.FormValue("RoleArn")+"/"+r.FormValue("RoleSessionName"), "AROATEST:"+r.FormValue("RoleSessionName")
	answer(w, out)
}

func answer(w http.ResponseWriter, out any) {
	if err := xml.NewEncoder(w).Encode(out); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// Front serves S3 by a server and STS by s, as AWS's hosts do, to who asks one address for both.
func (s *STS) Front(store *Server) *httptest.Server {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: store.Address})
		r.Out.Host = r.In.Host
	}, Transport: &http.Transport{DisableKeepAlives: true}} // versitygw leaves the end of chunked bodies unread
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.Header.Get("Authorization"), "/sts/aws4_request") {
			s.ServeHTTP(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
}
