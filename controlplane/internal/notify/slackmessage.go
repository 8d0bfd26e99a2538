package notify

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/webhook"
)

// Types of Slack's Block Kit, as far as they are used (https://docs.slack.dev/reference/block-kit).
type (
	slackMessage struct {
		Channel string       `json:"channel,omitempty"`
		TS      string       `json:"ts,omitempty"`
		Text    string       `json:"text"`
		Blocks  []slackBlock `json:"blocks"`
		// Nothing in a message is looked for or fetched.
		Mrkdwn      bool   `json:"mrkdwn"`
		Parse       string `json:"parse"`
		LinkNames   bool   `json:"link_names"`
		UnfurlLinks bool   `json:"unfurl_links"`
		UnfurlMedia bool   `json:"unfurl_media"`
	}
	slackBlock struct {
		Type     string         `json:"type"`
		Text     *slackText     `json:"text,omitempty"`
		Fields   []slackText    `json:"fields,omitempty"`
		Elements []slackElement `json:"elements,omitempty"`
	}
	slackText struct {
		Type     string `json:"type"`
		Text     string `json:"text"`
		Emoji    *bool  `json:"emoji,omitempty"`    // of plain_text
		Verbatim bool   `json:"verbatim,omitempty"` // of mrkdwn: no links are made
	}
	slackElement struct {
		Type     string `json:"type"`
		Text     any    `json:"text"` // a slackText in a button, a string in a context
		URL      string `json:"url,omitempty"`
		ActionID string `json:"action_id,omitempty"`
		Style    string `json:"style,omitempty"`
		Emoji    *bool  `json:"emoji,omitempty"`
		Verbatim bool   `json:"verbatim,omitempty"`
	}
)

// Limits of Slack in characters.
const (
	maxHeader  = 150
	maxSection = 3000
	maxField   = 500 // Slack's is 2000; a message should fit on a phone
	maxButton  = 3000
)

func plain(s string, most int) slackText {
	return slackText{Type: "plain_text", Text: plainText(s, most), Emoji: new(bool)}
}

// titles say what happened.
var titles = map[string]string{
	webhook.RequestFiled: "Access request waits for approval", webhook.RequestGranted: "Access granted",
	webhook.RequestDenied: "Access request denied", webhook.RequestWithdrawn: "Access request withdrawn",
	webhook.RequestExpired: "Access request expired",
	webhook.CommandHeld:    "Command waits for approval", webhook.CommandApproved: "Command approved",
	webhook.CommandDenied: "Command denied", webhook.CommandReleased: "Approved command was released",
	webhook.CommandWithdrawn: "Held command withdrawn", webhook.CommandExpired: "Held command expired",
	webhook.GrantRevoked: "Grant revoked", webhook.GrantReviewDue: "Break-glass grant waits for review",
	webhook.GrantReviewed: "Break-glass grant reviewed", webhook.BreakGlass: "Break-glass access was used",
	webhook.SessionKilled: "Session ended by a person", webhook.LockCreated: "Lock set", webhook.LockRemoved: "Lock removed",
	webhook.PolicyPushed: "New policy revision", webhook.EdgeRemoved: "Edge removed", webhook.Test: "Test of notifications",
}

// waits tells whether somebody is asked to act on an event.
func waits(eventType string) bool {
	return eventType == webhook.RequestFiled || eventType == webhook.CommandHeld || eventType == webhook.GrantReviewDue
}

// message is an event as Slack shows it.
func message(e webhook.Event) slackMessage {
	title := cmp.Or(titles[e.Type], e.Type)
	header := plain(title, maxHeader)
	m := slackMessage{Text: plainText(summary(title, e), 300), Parse: "none", Blocks: []slackBlock{{Type: "header", Text: &header}}}
	for rest := fields(e); len(rest) > 0; {
		n := min(len(rest), 10) // per section
		m.Blocks = append(m.Blocks, slackBlock{Type: "section", Fields: rest[:n]})
		rest = rest[n:]
	}
	if s := e.Data.Statement; s != "" {
		code := slackText{Type: "mrkdwn", Text: codeBlock(s, maxSection-500), Verbatim: true}
		m.Blocks = append(m.Blocks, slackBlock{Type: "section", Text: &code})
	}
	m.Blocks = append(m.Blocks, notes(e)...)
	if e.URL != "" && len(e.URL) <= maxButton {
		m.Blocks = append(m.Blocks, slackBlock{Type: "actions", Elements: []slackElement{button(e)}})
	}
	return m
}

// summary is the line in a phone's notification.
func summary(title string, e webhook.Event) string {
	if p := e.Data.Principal; p != nil {
		title += ": " + p.Name
		if e.Data.Resource != "" {
			title += " on " + e.Data.Resource
		}
	}
	return title
}

func fields(e webhook.Event) []slackText {
	d := e.Data
	var out []slackText
	add := func(label, value string) {
		if value != "" {
			out = append(out, plain(label+"\n"+value, maxField))
		}
	}
	if p := d.Principal; p != nil {
		add("Who", p.Name+" ("+p.Kind+")")
		add("For whom", strings.Join(p.OnBehalfOf, ", for "))
	}
	add("Resource", d.Resource)
	if d.Target != "" {
		add("Stops", d.Target+" "+d.Name)
	}
	if e.Subject.Kind == "edge" {
		add("Edge", d.Edge)
	}
	add("Actions", strings.Join(d.Actions, ", "))
	if d.DurationSeconds > 0 {
		add("Duration", (time.Duration(d.DurationSeconds) * time.Second).String())
	}
	if d.BreakGlass {
		add("Break-glass", "yes: nobody was asked before")
	}
	if i := d.Intent; i != nil {
		add("Intent", strings.Join(nonEmpty(i.Task, i.Run), "\n"))
	}
	add("Reason", strings.Join(nonEmpty(d.Reason, d.RequestReason), "\n"))
	add("Ticket", d.Ticket)
	add("Policy", strings.Join(nonEmpty(d.PolicyReason, strings.Join(d.PolicyIDs, ", ")), "\n"))
	add("Effect", effect(d.Preview))
	add("Warnings", strings.Join(d.Warnings, "\n"))
	if len(d.Requirements) > 0 {
		add("Approvers", fmt.Sprintf("%s; %d so far", strings.Join(d.Requirements, " and "), d.Approvals))
	}
	add("By", d.By)
	return out
}

func nonEmpty(all ...string) []string {
	var out []string
	for _, s := range all {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func effect(p *webhook.Preview) string {
	switch {
	case p == nil:
		return ""
	case p.ExactRows != nil:
		return fmt.Sprintf("%d rows, counted when it was held", *p.ExactRows)
	case p.EstimatedRows != nil:
		return fmt.Sprintf("about %.0f rows, by the target's estimate", *p.EstimatedRows)
	}
	return ""
}

// notes are the small print: what is cut off, where it is, and until when. They hold nothing of strangers.
func notes(e webhook.Event) []slackBlock {
	var parts []string
	if e.Data.StatementClipped {
		parts = append(parts, "Only the beginning of the statement is shown.")
	}
	if at := e.Data.ExpiresAt; at != nil && waits(e.Type) {
		parts = append(parts, fmt.Sprintf("Waits until <!date^%d^{date_short_pretty} {time}|%s>.", at.Unix(), at.UTC().Format(time.RFC3339)))
	}
	if waits(e.Type) {
		parts = append(parts, "Decide in the console: Slack cannot.")
	}
	if len(parts) == 0 {
		return nil
	}
	return []slackBlock{{Type: "context", Elements: []slackElement{{Type: "mrkdwn", Text: strings.Join(parts, " "), Verbatim: true}}}}
}

func button(e webhook.Event) slackElement {
	b := slackElement{Type: "button", Text: plain("Open in Writ", 75), URL: e.URL, ActionID: "open"}
	if waits(e.Type) {
		b.Text, b.Style = plain("Review in Writ", 75), "primary"
	}
	return b
}
