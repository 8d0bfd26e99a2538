package s3test

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
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
	if r.FormValue("Action") != "AssumeRole" {
		http.Error(w, "only roles are given here", http.StatusBadRequest)
		return
	}
	var out assumed
	out.Keys.AccessKeyID, out.Keys.SecretAccessKey, out.Keys.SessionToken = s.Key, s.Secret, s.Token
	out.Keys.Expiration = time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	out.User.ARN, out.User.ID = r.FormValue("RoleArn")+"/"+r.FormValue("RoleSessionName"), "AROATEST:"+r.FormValue("RoleSessionName")
	w.Header().Set("Content-Type", "text/xml")
	if err := xml.NewEncoder(w).Encode(out); err != nil {
		fmt.Fprintln(w, err)
	}
}
