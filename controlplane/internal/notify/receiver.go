package notify

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/webhook"
)

// Receiver is somebody outside who is told: Webhook or Slack, exactly one of them.
type Receiver struct {
	// Name of lower-case letters, digits and dashes, at most 40. Required.
	Name string `yaml:"name"`
	// Events that it is told of, such as "command.held", or "request.*" for all of a kind. Default: all.
	Events []string `yaml:"events,omitempty"`
	// Statements says whether it sees held statements, as approvers do. Default true.
	Statements *bool `yaml:"statements,omitempty"`
	// Attempts before a delivery is a dead letter, 1 to 20. Default 10, which takes about a day.
	Attempts int `yaml:"attempts,omitempty"`
	// Timeout of one attempt, 1s to 1m. Default 10s.
	Timeout time.Duration `yaml:"timeout,omitempty"`

	Webhook *Webhook `yaml:"webhook,omitempty"`
	Slack   *Slack   `yaml:"slack,omitempty"`
}

// Webhook is a URL that gets signed POST requests.
type Webhook struct {
	// URL is https, or http on a loopback address. Required.
	URL string `yaml:"url"`
	// SecretFiles hold one secret each, "whsec_..."; each signs. Give the old and the new one while a receiver changes.
	// Required.
	SecretFiles []string `yaml:"secret_files"`
	// CAFile holds PEM certificates that sign the receiver's own. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty"`
}

// Slack is a channel, by an incoming webhook or by a bot.
type Slack struct {
	// WebhookURLFile holds the URL of an incoming webhook. The URL is a secret.
	WebhookURLFile string `yaml:"webhook_url_file,omitempty"`
	// TokenFile holds a bot token with the scope chat:write. It is needed to update messages once they are decided.
	TokenFile string `yaml:"token_file,omitempty"`
	// Channel is the id of the bot's channel, such as C0123456789. Required with TokenFile.
	Channel string `yaml:"channel,omitempty"`
	// API is where the bot calls. Default https://slack.com/api.
	API string `yaml:"api,omitempty"`
	// CAFile holds PEM certificates that sign the server's own. Default: the system's.
	CAFile string `yaml:"ca_file,omitempty"`
}

// Limits of what is configured.
const (
	maxReceivers    = 16
	defaultAttempts = 10
	maxAttempts     = 20
	defaultTimeout  = 10 * time.Second
	minTimeout      = time.Second
	maxTimeout      = time.Minute
	slackAPI        = "https://slack.com/api"
)

func (r Receiver) complete() Receiver {
	setDefault(&r.Attempts, defaultAttempts)
	setDefault(&r.Timeout, defaultTimeout)
	if r.Slack != nil && r.Slack.API == "" {
		s := *r.Slack
		s.API = slackAPI
		r.Slack = &s
	}
	return r
}

// wants reports whether the receiver is told of events of this type.
func (r Receiver) wants(eventType string) bool {
	return len(r.Events) == 0 || slices.ContainsFunc(r.Events, func(p string) bool { return matches(p, eventType) })
}

func matches(pattern, eventType string) bool {
	kind, all := strings.CutSuffix(pattern, ".*")
	return pattern == eventType || all && strings.HasPrefix(eventType, kind+".")
}

// CheckReceivers refuses what cannot work, without reading any file.
func CheckReceivers(all []Receiver) error {
	if len(all) > maxReceivers {
		return fmt.Errorf("%d receivers; use at most %d", len(all), maxReceivers)
	}
	var errs []error
	seen := map[string]bool{}
	for i, r := range all {
		if seen[r.Name] {
			errs = append(errs, fmt.Errorf("receiver %q is there twice", r.Name))
		}
		seen[r.Name] = true
		if err := r.complete().check(); err != nil {
			errs = append(errs, fmt.Errorf("receiver %d, %q: %w", i+1, r.Name, err))
		}
	}
	return errors.Join(errs...)
}

var receiverName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,39}$`)

func (r Receiver) check() error {
	switch {
	case !receiverName.MatchString(r.Name):
		return errors.New("name: use up to 40 lower-case letters, digits and dashes")
	case r.Attempts < 1 || r.Attempts > maxAttempts:
		return fmt.Errorf("attempts: %d; use 1 to %d", r.Attempts, maxAttempts)
	case r.Timeout < minTimeout || r.Timeout > maxTimeout:
		return fmt.Errorf("timeout: %s; use %s to %s", r.Timeout, minTimeout, maxTimeout)
	case (r.Webhook == nil) == (r.Slack == nil):
		return errors.New("give webhook or slack, and not both")
	}
	for _, pattern := range r.Events {
		if !slices.ContainsFunc(webhook.Types(), func(t string) bool { return matches(pattern, t) }) {
			return fmt.Errorf("events: %q is no event; use one such as %q, or \"command.*\"", pattern, webhook.CommandHeld)
		}
	}
	if r.Webhook != nil {
		return r.Webhook.check()
	}
	return r.Slack.check()
}

func (w Webhook) check() error {
	if n := len(w.SecretFiles); n == 0 || n > webhook.MaxSecrets || slices.Contains(w.SecretFiles, "") {
		return fmt.Errorf("secret_files: name 1 to %d files", webhook.MaxSecrets)
	}
	_, err := parseURL(w.URL)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	return nil
}

var slackChannel = regexp.MustCompile(`^[A-Z0-9]{3,30}$`)

func (s Slack) check() error {
	switch {
	case (s.WebhookURLFile == "") == (s.TokenFile == ""):
		return errors.New("slack: give webhook_url_file or token_file, and not both")
	case s.TokenFile != "" && !slackChannel.MatchString(s.Channel):
		return errors.New("slack: channel: give the channel's id, such as C0123456789")
	case s.TokenFile == "" && s.Channel != "":
		return errors.New("slack: channel: an incoming webhook has its own channel; leave it out")
	}
	if _, err := parseURL(s.API); err != nil {
		return fmt.Errorf("slack: api: %w", err)
	}
	return nil
}

var (
	errURL   = errors.New("not a URL such as https://hooks.example.com/writ, without user and fragment")
	errPlain = errors.New("must be https, or http on a loopback address")
)

// parseURL accepts where something may be sent to. Its errors do not quote the text, which may be a secret.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "" || u.User != nil || u.Fragment != "" || len(text) > 2000:
		return nil, errURL
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return nil, errPlain
	}
	return u, nil
}

// loopback tells whether a host as written is this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
