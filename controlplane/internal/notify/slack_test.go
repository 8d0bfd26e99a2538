package notify_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/controlplane/internal/notify"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/webhook"
)

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// blocks are the parts of a message, as Slack would read them.
type blocks struct {
	Channel, TS, Text, Parse string
	LinkNames                bool `json:"link_names"`
	Blocks                   []struct {
		Type     string
		Text     struct{ Type, Text string }
		Fields   []struct{ Type, Text string }
		Elements []struct {
			Type, URL string
			Text      json.RawMessage
		}
	}
}

func parse(t *testing.T, body []byte) blocks {
	t.Helper()
	var b blocks
	if err := json.Unmarshal(body, &b); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return b
}

func (b blocks) all() string {
	var out strings.Builder
	for _, block := range b.Blocks {
		fmt.Fprintln(&out, block.Text.Text)
		for _, f := range block.Fields {
			fmt.Fprintln(&out, f.Text)
		}
		for _, e := range block.Elements {
			fmt.Fprintln(&out, string(e.Text), e.URL)
		}
	}
	return out.String()
}

func TestSlackHook(t *testing.T) {
	r := listen(t)
	st, d := start(t, []notify.Receiver{{Name: "oncall", Slack: &notify.Slack{WebhookURLFile: file(t, r.URL+"/services/T0/B0/the-secret")}}})
	publish(t, st, d, held("hold-1"))
	g := r.next(t)
	if g.path != "/services/T0/B0/the-secret" || g.header.Get("Webhook-Signature") != "" {
		t.Errorf("%s %v", g.path, g.header)
	}
	b := parse(t, g.body)
	text := b.all()
	for _, want := range []string{
		"Command waits for approval", "agent-7 (agent)", "For whom\nada@example.com", "orders-db", "Intent\nremove duplicates", "OPS-1",
		"```\nDELETE FROM orders WHERE id = $1\n```", "2 of dba; 0 so far", "Effect\n42 rows", "U+0430 looks like a", "Bulk delete", "https://writ.example.com/approvals/hold-1", "Waits until",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(string(g.body), "the-parameter") || b.Parse != "none" || b.LinkNames {
		t.Errorf("%s", g.body)
	}
}

// Nothing that a client wrote becomes a mention, a link, formatting, or the end of its code block.
func TestSlackHostileText(t *testing.T) {
	const evil = "<!channel> <https://evil.example.com|approve here> <@U123> & *bold* \u202egnp.exe\u2066 \x1b[31m \u200bx ``` \n```` *Approved by CEO* \ufe0f\U000e0041"
	r := listen(t)
	st, d := start(t, []notify.Receiver{{Name: "oncall", Slack: &notify.Slack{WebhookURLFile: file(t, r.URL)}}})
	e := held("hold-1")
	h := e.Hold
	h.Statement, h.Reason, h.RequestReason, h.Ticket, h.Resource = evil, evil, evil, evil, evil
	h.Principal.ID, h.Principal.OnBehalfOf, h.Actions, h.Intent.Task = evil, []string{evil}, []string{evil}, evil
	h.Requirements = []policy.Approval{{Count: 1, Group: evil}}
	publish(t, st, d, e)
	b := parse(t, r.next(t).body)
	for _, block := range b.Blocks {
		for _, f := range block.Fields {
			if f.Type != "plain_text" {
				t.Errorf("field of type %s: %s", f.Type, f.Text)
			}
		}
		if block.Text.Type == "mrkdwn" {
			inner := strings.TrimSuffix(strings.TrimPrefix(block.Text.Text, "```\n"), "\n```")
			if strings.Contains(inner, "```") || len(inner)+8 != len(block.Text.Text) {
				t.Errorf("the statement leaves its block: %s", block.Text.Text)
			}
		}
		if block.Type == "context" {
			continue // ours: the only mark is the date
		}
		for _, bad := range []string{"<", ">", "\u202e", "\u2066", "\x1b", "\U000e0041", "\ufe0f"} {
			if strings.Contains(block.Text.Text, bad) || strings.Contains(fmt.Sprint(block.Fields), bad) {
				t.Errorf("%q is in %+v", bad, block)
			}
		}
	}
	if strings.ContainsAny(b.Text, "<>") {
		t.Errorf("summary %q", b.Text)
	}
	if !strings.Contains(b.all(), `\u{202E}gnp.exe`) {
		t.Errorf("what turns the text around is not written out:\n%s", b.all())
	}
}

// A bot's message about a request changes when the request is decided. When it cannot, there is a new one.
func TestSlackBotUpdates(t *testing.T) {
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(text)) }
	}
	posted := answer(`{"ok":true,"channel":"C024BE91L","ts":"1503435956.000247"}`)
	r := listen(t, posted, posted, answer(`{"ok":false,"error":"message_not_found"}`), posted, answer(`{"ok":false,"error":"invalid_auth"}`), answer(`garbage`), posted)
	bot := notify.Receiver{Name: "oncall", Slack: &notify.Slack{TokenFile: file(t, "xoxb-the-token"), Channel: "C111", API: r.URL + "/api"}}
	st, d := start(t, []notify.Receiver{bot})
	publish(t, st, d, held("hold-1"))
	g := r.next(t)
	if g.path != "/api/chat.postMessage" || g.header.Get("Authorization") != "Bearer xoxb-the-token" || parse(t, g.body).Channel != "C111" {
		t.Errorf("%s %s", g.path, g.body)
	}
	awaitState(t, d, "hold-1", notify.Delivered)
	decided := held("hold-1")
	decided.Kind, decided.By = approvals.HoldApproved, "dana@example.com"
	publish(t, st, d, decided)
	g = r.next(t)
	if b := parse(t, g.body); g.path != "/api/chat.update" || b.Channel != "C024BE91L" || b.TS != "1503435956.000247" || !strings.Contains(b.all(), "Command approved") {
		t.Errorf("%s %s", g.path, g.body)
	}
	decided.Kind = approvals.HoldSpent
	publish(t, st, d, decided)
	if g := r.next(t); g.path != "/api/chat.update" {
		t.Error(g.path)
	}
	if g := r.next(t); g.path != "/api/chat.postMessage" || parse(t, g.body).TS != "" {
		t.Errorf("%s %s", g.path, g.body)
	}
	publish(t, st, d, held("hold-2"))
	for range 3 {
		g = r.next(t)
	}
	if dl := awaitState(t, d, "hold-2", notify.Delivered); dl.Attempts != 3 || g.path != "/api/chat.postMessage" {
		t.Errorf("%+v %s", dl, g.path)
	}
}

// The URL of an incoming webhook and a bot's token are secrets: nothing that goes wrong shows them.
func TestSlackSecretsAreNotShown(t *testing.T) {
	var log buffer
	r := listen(t)
	gone := r.URL
	r.Close()
	hook := notify.Receiver{Name: "hook", Attempts: 1, Slack: &notify.Slack{WebhookURLFile: file(t, gone+"/services/the-secret")}}
	bot := notify.Receiver{Name: "bot", Attempts: 1, Slack: &notify.Slack{TokenFile: file(t, "xoxb-the-secret"), Channel: "C111", API: gone}}
	st, d := start(t, []notify.Receiver{hook, bot}, func(c *notify.Config) {
		c.Logger = hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Trace})
	})
	publish(t, st, d, held("hold-1"))
	for dead := 0; dead < 2; {
		page, err := d.List(t.Context(), notify.Query{State: notify.Dead})
		if err != nil {
			t.Fatal(err)
		}
		dead = len(page.Deliveries)
		for _, dl := range page.Deliveries {
			if dl.Error == "" || strings.Contains(dl.Error, "the-secret") {
				t.Errorf("%s: %q", dl.Receiver, dl.Error)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	if strings.Contains(log.String(), "the-secret") {
		t.Errorf("in the log: %s", log.String())
	}
	for name, s := range map[string]*notify.Slack{
		"hook that is no URL": {WebhookURLFile: file(t, "the-secret")},
		"hook over http":      {WebhookURLFile: file(t, "http://hooks.example.com/the-secret")},
		"token with a line":   {TokenFile: file(t, "the-secret\nx"), Channel: "C111"},
	} {
		_, err := notify.New(notify.Config{Store: st, Receivers: []notify.Receiver{{Name: "s", Slack: s}}, Now: time.Now, Rand: &bytes.Buffer{}})
		if err == nil || strings.Contains(err.Error(), "the-secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Every event has a name for the outside, and a headline.
func TestEveryEventIsTold(t *testing.T) {
	told := map[string]bool{}
	for _, k := range []approvals.EventKind{
		approvals.RequestFiled, approvals.RequestGranted, approvals.RequestDenied, approvals.RequestWithdrawn, approvals.RequestExpired,
		approvals.HoldFiled, approvals.HoldApproved, approvals.HoldDenied, approvals.HoldSpent, approvals.HoldWithdrawn, approvals.HoldExpired,
		approvals.GrantRevoked, approvals.BreakGlassUsed, approvals.ReviewDue, approvals.GrantReviewed,
	} {
		name, ok := notify.TypeOf(k)
		if !ok || told[name] {
			t.Errorf("%s is told as %q", k, name)
		}
		told[name] = true
	}
	for _, name := range webhook.Types() {
		if notify.Title(webhook.Event{Type: name}) == "" {
			t.Errorf("%s has no headline", name)
		}
	}
}

func FuzzSlackText(f *testing.F) {
	f.Add("DELETE FROM `orders` WHERE a < 1 && b > 2", 100)
	f.Add("```````` <!here> \u202e\xff", 12)
	f.Fuzz(func(t *testing.T, s string, most int) {
		most = max(20, min(most, 3000))
		text := notify.PlainText(s, most)
		if utf8.RuneCountInString(text) > most || strings.ContainsAny(text, "<>") || !utf8.ValidString(text) {
			t.Errorf("%q", text)
		}
		code := notify.CodeBlock(s, most)
		if strings.Count(code, "```") != 2 || strings.ContainsAny(code, "<>") || utf8.RuneCountInString(code) > most {
			t.Errorf("%q", code)
		}
	})
}
