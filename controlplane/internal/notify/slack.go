package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/webhook"
)

// slackHook posts to an incoming webhook. It cannot change what it posted.
type slackHook struct {
	file   string
	client *http.Client
	now    func() time.Time
}

func newSlackHook(r Receiver, cfg Config) (*slackHook, error) {
	h := &slackHook{file: r.Slack.WebhookURLFile, now: cfg.Now}
	address, err := h.url()
	if err != nil {
		return nil, err
	}
	u, err := parseURL(address)
	if err != nil {
		return nil, err
	}
	h.client, err = newClient(r, r.Slack.CAFile, cfg.Resolver, loopback(u.Hostname()))
	return h, err
}

func (h *slackHook) check() error {
	_, err := h.url()
	return err
}

// url reads the address, which is a secret: no error quotes it.
func (h *slackHook) url() (string, error) {
	text, err := readSecret(h.file)
	if err != nil {
		return "", err
	}
	if _, err := parseURL(text); err != nil {
		return "", fmt.Errorf("%s: %w", h.file, err)
	}
	return text, nil
}

func (h *slackHook) send(ctx context.Context, e webhook.Event, _ string) (string, error) {
	address, err := h.url()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(message(e))
	if err != nil {
		return "", fmt.Errorf("encode message: %w", err)
	}
	req, err := newPost(ctx, address, body)
	if err != nil {
		return "", err
	}
	_, err = post(h.client, req, h.now)
	return "", err
}

// slackBot posts with a token, and updates the message about a subject when something becomes of it.
type slackBot struct {
	cfg    Slack
	client *http.Client
	now    func() time.Time
}

func newSlackBot(r Receiver, cfg Config) (*slackBot, error) {
	u, err := parseURL(r.Slack.API)
	if err != nil {
		return nil, err
	}
	client, err := newClient(r, r.Slack.CAFile, cfg.Resolver, loopback(u.Hostname()))
	if err != nil {
		return nil, err
	}
	return &slackBot{cfg: *r.Slack, client: client, now: cfg.Now}, nil
}

func (b *slackBot) check() error {
	_, err := b.token()
	return err
}

var botToken = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

func (b *slackBot) token() (string, error) {
	token, err := readSecret(b.cfg.TokenFile)
	if err != nil {
		return "", err
	}
	if !botToken.MatchString(token) {
		return "", fmt.Errorf("%s: not a bot token", b.cfg.TokenFile)
	}
	return token, nil
}

// send updates the message that stands for the subject, or posts a new one. The thread is the message's "channel ts":
// updates go to the channel as Slack names it.
func (b *slackBot) send(ctx context.Context, e webhook.Event, thread string) (string, error) {
	m := message(e)
	if channel, ts, ok := strings.Cut(thread, " "); ok {
		m.Channel, m.TS = channel, ts
		next, err := b.call(ctx, "chat.update", m)
		if err == nil {
			return next, nil
		}
		if !errors.Is(err, errSlack) {
			return "", err // it may work later
		}
		m.TS = "" // the message is gone or cannot be changed
	}
	m.Channel = b.cfg.Channel
	return b.call(ctx, "chat.postMessage", m)
}

// errSlack is a call that Slack understood and refused.
var errSlack = errors.New("refused by Slack")

// slackError is the code of a refusal; what does not look like one is not shown.
var slackError = regexp.MustCompile(`^[a-z_]{1,60}$`)

// call makes one call and returns the message's thread (https://docs.slack.dev/reference/methods/chat.postMessage).
func (b *slackBot) call(ctx context.Context, method string, m slackMessage) (string, error) {
	token, err := b.token()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("encode message: %w", err)
	}
	req, err := newPost(ctx, strings.TrimRight(b.cfg.API, "/")+"/"+method, body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	answer, err := post(b.client, req, b.now)
	if err != nil {
		return "", err
	}
	return threadOf(method, answer)
}

func threadOf(method string, answer []byte) (string, error) {
	var result struct {
		OK      bool   `json:"ok"`
		Error   string `json:"error"`
		Channel string `json:"channel"`
		TS      string `json:"ts"`
	}
	if err := json.Unmarshal(answer, &result); err != nil {
		return "", &failure{text: method + ": the answer is not Slack's"}
	}
	if !result.OK {
		code := result.Error
		if !slackError.MatchString(code) {
			code = "unknown error"
		}
		return "", fmt.Errorf("%w: %s: %s", errSlack, method, code)
	}
	if !slackChannel.MatchString(result.Channel) || !slackTS.MatchString(result.TS) {
		return "", nil // sent, but it cannot be updated
	}
	return result.Channel + " " + result.TS, nil
}

var slackTS = regexp.MustCompile(`^[0-9]{1,20}\.[0-9]{1,20}$`)
