package oidctest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

func TestVisit(t *testing.T) {
	is, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { is.Close() })
	const redirect = "https://127.0.0.1:1/signin/callback"
	if err := is.Visit("console", redirect, []Claims{{"sub": "carol", "name": "Carol"}}); err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	sum := sha256.Sum256([]byte("verifier"))
	ask := url.Values{
		"client_id": {"console"}, "redirect_uri": {redirect}, "response_type": {"code"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	choose := func(ask url.Values) *http.Response {
		resp, err := browser.PostForm(is.URL()+"/authorize?"+ask.Encode(), url.Values{"who": {"0"}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}
	redeem := func(code, verifier string) (status int, token string) {
		resp, err := browser.PostForm(is.URL()+"/token", url.Values{"code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier}})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var body struct {
			Token string `json:"id_token"`
		}
		if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, body.Token
	}
	for name, value := range map[string]string{"client_id": "other", "redirect_uri": "https://evil.example", "code_challenge_method": "plain"} {
		bad := url.Values{}
		for k := range ask {
			bad.Set(k, ask.Get(k))
		}
		bad.Set(name, value)
		if resp := choose(bad); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s %s: %s", name, value, resp.Status)
		}
	}
	back, err := choose(ask).Location()
	if err != nil || back.Query().Get("state") != "s" {
		t.Fatalf("%v %v", back, err)
	}
	if status, _ := redeem(back.Query().Get("code"), "another"); status != http.StatusBadRequest {
		t.Errorf("another verifier: %d", status)
	}
	back, _ = choose(ask).Location()
	if status, token := redeem(back.Query().Get("code"), "verifier"); status != http.StatusOK || token == "" {
		t.Errorf("redeemed: %d %q", status, token)
	}
	if status, _ := redeem(back.Query().Get("code"), "verifier"); status != http.StatusBadRequest {
		t.Errorf("redeemed twice: %d", status)
	}
}
