package client

import (
	"net/http"
	"net/url"
	"testing"
)

// TestWithout: of the proxies that the environment names, one is not used.
func TestWithout(t *testing.T) {
	for proxy, want := range map[string]string{"": "http://edge:6445", "edge:6445": "", "edge:6446": "http://edge:6445"} {
		choose := without(proxy, func(*http.Request) (*url.URL, error) { return url.Parse("http://edge:6445") })
		u, err := choose(&http.Request{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if u != nil {
			got = u.String()
		}
		if got != want {
			t.Errorf("%q: %q", proxy, got)
		}
	}
	none := without("", func(*http.Request) (*url.URL, error) { return nil, nil })
	if u, err := none(&http.Request{}); u != nil || err != nil {
		t.Errorf("%v, %v", u, err)
	}
}
