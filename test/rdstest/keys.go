package rdstest

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"
)

// STS is a way to a moto on which the keys that it gives out are noted, since IAM knows the keys of its roles.
type STS struct {
	URL string

	mu   sync.Mutex
	keys map[string]Key
}

// Watch stands before a moto until the test ends.
func Watch(t testing.TB, moto string) *STS {
	t.Helper()
	target, err := url.Parse(moto)
	if err != nil {
		t.Fatal(err)
	}
	s := &STS{keys: map[string]Key{}}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: s.note,
	})
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

func (s *STS) note(resp *http.Response) error {
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct {
		ID     string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
		Secret string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
		Token  string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	}
	if xml.Unmarshal(body, &answer) == nil && answer.ID != "" {
		s.mu.Lock()
		s.keys[answer.ID] = Key{answer.Secret, answer.Token}
		s.mu.Unlock()
	}
	return nil
}

// Key is one that was given out.
func (s *STS) Key(id string) (Key, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key, ok := s.keys[id]
	return key, ok
}
