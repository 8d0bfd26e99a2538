package openidtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// Authorize signs a user in at an authorization address and returns the address that the provider sends the browser
// back to, which is not visited.
func (p *Provider) Authorize(ctx context.Context, address, user, password string) (*url.URL, error) {
	browser, err := p.browser()
	if err != nil {
		return nil, err
	}
	page, err := browser.visit(ctx, address, nil)
	if err != nil {
		return nil, err
	}
	if page.away != nil {
		return page.away, nil
	}
	page, err = browser.visit(ctx, page.url.String(), url.Values{
		"id": {page.url.Query().Get("id")}, "username": {user}, "password": {password}, "action": {"allow"},
	})
	switch {
	case err != nil:
		return nil, err
	case page.away == nil:
		return nil, fmt.Errorf("not signed in at the provider: %s: %s", page.status, page.text)
	}
	return page.away, nil
}

// Decide lets a device in, or refuses it, as the user of a code.
func (p *Provider) Decide(ctx context.Context, verification, code, user, password string, allow bool) error {
	browser, err := p.browser()
	if err != nil {
		return err
	}
	action := "allow"
	if !allow {
		action = "deny"
	}
	page, err := browser.visit(ctx, verification, url.Values{
		"user_code": {code}, "username": {user}, "password": {password}, "action": {action},
	})
	if err == nil && !strings.Contains(page.text, "Done.") {
		err = fmt.Errorf("not decided at the provider: %s: %s", page.status, page.text)
	}
	return err
}

// browser stays at the provider.
type browser struct {
	client *http.Client
	home   *url.URL
}

func (p *Provider) browser() (*browser, error) {
	home, err := url.Parse(p.Issuer)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	stay := func(next *http.Request, via []*http.Request) error {
		if next.URL.Host != home.Host || len(via) > 10 {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &browser{client: &http.Client{Jar: jar, CheckRedirect: stay}, home: home}, nil
}

// page is what a visit ended at.
type page struct {
	url    *url.URL
	away   *url.URL // where it leads to at another site
	status string
	text   string
}

// visit gets an address, or posts a form to it.
func (b *browser) visit(ctx context.Context, address string, form url.Values) (page, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return page{}, err
	}
	if req.URL.Host != b.home.Host {
		return page{}, errors.New("this is not an address of the provider")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := b.client.Do(req)
	if err != nil {
		return page{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	found := page{url: resp.Request.URL, status: resp.Status, text: string(text)}
	if next, locErr := resp.Location(); locErr == nil {
		found.away = next
	}
	return found, err
}
