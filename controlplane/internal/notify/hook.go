package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/writhq/writ/pkg/webhook"
)

// hook sends signed webhooks.
type hook struct {
	cfg    Webhook
	client *http.Client
	now    func() time.Time
}

func newWebhook(r Receiver, cfg Config) (*hook, error) {
	u, err := parseURL(r.Webhook.URL)
	if err != nil {
		return nil, err
	}
	client, err := newClient(r, r.Webhook.CAFile, cfg.Resolver, loopback(u.Hostname()))
	if err != nil {
		return nil, err
	}
	return &hook{cfg: *r.Webhook, client: client, now: cfg.Now}, nil
}

func (h *hook) check() error {
	_, err := h.secrets()
	return err
}

func (h *hook) secrets() ([]webhook.Secret, error) {
	var all []webhook.Secret
	for _, file := range h.cfg.SecretFiles {
		text, err := readSecret(file)
		if err != nil {
			return nil, err
		}
		s, err := webhook.ParseSecret(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, s)
	}
	return all, nil
}

func (h *hook) send(ctx context.Context, e webhook.Event, _ string) (string, error) {
	secrets, err := h.secrets()
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("encode event: %w", err)
	}
	signed, err := webhook.Sign(e.ID, h.now(), body, secrets...)
	if err != nil {
		return "", err
	}
	req, err := newPost(ctx, h.cfg.URL, body)
	if err != nil {
		return "", err
	}
	req.Header.Set(webhook.HeaderID, signed.ID)
	req.Header.Set(webhook.HeaderTimestamp, signed.Timestamp)
	req.Header.Set(webhook.HeaderSignature, signed.Signature)
	_, err = post(h.client, req, h.now)
	return "", err
}
