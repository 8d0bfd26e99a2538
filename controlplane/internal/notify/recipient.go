package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/version"
	"github.com/writhq/writ/pkg/webhook"
)

// channel is a way to reach a receiver.
type channel interface {
	// send makes one attempt and returns nil once the receiver has accepted the event. thread is what an earlier event
	// of the subject left, or empty; what is returned is kept for the next one. A *failure says how to go on.
	send(ctx context.Context, e webhook.Event, thread string) (string, error)
	// check reads the secrets.
	check() error
}

// recipient is a receiver and the way to it.
type recipient struct {
	receiver Receiver
	channel  channel
}

func newRecipient(r Receiver, cfg Config) (*recipient, error) {
	var c channel
	var err error
	switch {
	case r.Webhook != nil:
		c, err = newWebhook(r, cfg)
	case r.Slack.TokenFile != "":
		c, err = newSlackBot(r, cfg)
	default:
		c, err = newSlackHook(r, cfg)
	}
	if err != nil {
		return nil, err
	}
	return &recipient{receiver: r, channel: c}, c.check()
}

// send leaves out what the receiver is not to see.
func (to *recipient) send(ctx context.Context, e webhook.Event, thread string) (string, error) {
	if s := to.receiver.Statements; s != nil && !*s {
		e.Data.Statement, e.Data.StatementClipped, e.Data.Warnings = "", false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, to.receiver.Timeout)
	defer cancel()
	return to.channel.send(ctx, e, thread)
}

// failure is an attempt that did not succeed.
type failure struct {
	text  string        // for operators: no secret, nothing that the receiver wrote
	after time.Duration // the receiver asked for so long a wait; 0 is no wish
	gone  bool          // the receiver wants no more of it
}

func (f *failure) Error() string { return f.text }

// maxResponse bounds how much of an answer is read, in bytes.
const maxResponse = 64 << 10

// post sends a body and returns the answer of a receiver that accepted it.
func post(client *http.Client, req *http.Request, now func() time.Time) ([]byte, error) {
	req.Header.Set("User-Agent", "Writ/"+version.String())
	resp, err := client.Do(req)
	if err != nil {
		return nil, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxResponse))
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		if err != nil {
			return nil, &failure{text: "read the answer: connection broke"}
		}
		return body, nil
	}
	f := &failure{text: fmt.Sprintf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		f.text += "; redirects are not followed"
	case resp.StatusCode == http.StatusGone:
		f.gone = true
	case resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable:
		f.after = retryAfter(resp.Header.Get("Retry-After"), now())
	}
	return nil, f
}

// withoutURL drops the URL from an error of net/http: it may hold a secret.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		if u.Timeout() {
			return &failure{text: "no answer in time"}
		}
		err = u.Err
	}
	return &failure{text: err.Error()}
}

// maxRetryAfter bounds what a receiver may ask for.
const maxRetryAfter = 24 * time.Hour

// retryAfter reads the header: seconds, or a date (RFC 9110, section 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), maxRetryAfter)
}

func newPost(ctx context.Context, to string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return nil, withoutURL(err)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	return req, nil
}

// maxSecretFile bounds a file with a secret, in bytes.
const maxSecretFile = 4 << 10

func readSecret(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	if len(raw) > maxSecretFile || len(bytes.TrimSpace(raw)) == 0 {
		return "", fmt.Errorf("read secret: %s is empty or longer than %d bytes", file, maxSecretFile)
	}
	return strings.TrimSpace(string(raw)), nil
}
