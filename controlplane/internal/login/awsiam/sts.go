package awsiam

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

const (
	askTimeout  = 10 * time.Second
	maxResponse = 64 << 10
)

// newClient follows no redirect: what was signed for one address says nothing at another.
func newClient() *http.Client {
	return &http.Client{
		Timeout:       askTimeout,
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxResponseHeaderBytes: 64 << 10, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// caller is a role session as STS names it.
type caller struct{ account, role, session string }

// ask sends the request to STS and reads whose signature it is.
func (v *Verifier) ask(ctx context.Context, p checkedProof) (caller, error) {
	address := "https://" + Host(p.Region)
	if v.cfg.Endpoint != "" {
		address = strings.TrimSuffix(v.cfg.Endpoint, "/")
	}
	req, err := http.NewRequestWithContext(ctx, Method, address+Path, strings.NewReader(Body))
	if err != nil {
		return caller{}, fmt.Errorf("ask sts: %w", err)
	}
	for name, value := range p.Headers {
		if name != "host" && name != "content-length" {
			req.Header.Set(name, value)
		}
	}
	req.Host = Host(p.Region)
	req.Header.Set("User-Agent", "writ")
	resp, err := v.client.Do(req)
	if err != nil {
		return caller{}, fmt.Errorf("%w: %w", ErrUnavailable, hideURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	switch {
	case err != nil || resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests:
		return caller{}, fmt.Errorf("%w: it answered %d", ErrUnavailable, resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return caller{}, refuse("AWS does not take the signature (%d)", resp.StatusCode)
	case len(body) > maxResponse:
		return caller{}, fmt.Errorf("%w: its answer is too long", ErrUnavailable)
	}
	return parseAnswer(body)
}

// hideURL keeps what failed and leaves out where, which callers need not know.
func hideURL(err error) error {
	for next := err; next != nil; next = errors.Unwrap(next) {
		err = next
	}
	return err
}

var errAnswer = fmt.Errorf("%w: its answer is not understood", ErrUnavailable)

// fields are the elements of an answer that count, by their path.
var fields = map[string]string{
	"GetCallerIdentityResponse/GetCallerIdentityResult/Arn":     "arn",
	"GetCallerIdentityResponse/GetCallerIdentityResult/UserId":  "user",
	"GetCallerIdentityResponse/GetCallerIdentityResult/Account": "account",
}

// parseAnswer reads an answer of GetCallerIdentity. Of each element there must be exactly one, in its place.
func parseAnswer(body []byte) (caller, error) {
	found := map[string]string{}
	var path []string
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		t, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return caller{}, errAnswer
		}
		switch t := t.(type) {
		case xml.StartElement:
			path = append(path, t.Name.Local)
			if name, ok := fields[strings.Join(path, "/")]; ok {
				if _, twice := found[name]; twice {
					return caller{}, errAnswer
				}
				found[name] = ""
			}
		case xml.EndElement:
			path = path[:len(path)-1]
		case xml.CharData:
			if name, ok := fields[strings.Join(path, "/")]; ok {
				found[name] += string(t)
			}
		case xml.Directive:
			return caller{}, errAnswer
		}
	}
	if len(found) != len(fields) {
		return caller{}, errAnswer
	}
	return parseCaller(found["arn"], found["account"])
}

// sessionARN is the ARN of a role session: arn:aws:sts::123456789012:assumed-role/NAME/SESSION. It has the role's name
// without its path, which is unique in the account.
var sessionARN = regexp.MustCompile(`^arn:aws[a-z-]*:sts::([0-9]{12}):assumed-role/([A-Za-z0-9+=,.@_-]{1,64})/([A-Za-z0-9+=,.@_-]{2,64})$`)

func parseCaller(arn, account string) (caller, error) {
	m := sessionARN.FindStringSubmatch(arn)
	switch {
	case m == nil && strings.HasPrefix(arn, "arn:aws"):
		return caller{}, refuse("users, root and federated users do not sign in; assume a role")
	case m == nil || m[1] != account:
		return caller{}, errAnswer
	}
	return caller{account: account, role: m[2], session: m[3]}, nil
}
