package notify

import (
	"context"
	"net/netip"

	"github.com/writhq/writ/controlplane/internal/approvals"
	"github.com/writhq/writ/pkg/webhook"
)

// Sweep looks once.
func (d *Deliveries) Sweep(ctx context.Context) error { return d.sweep(ctx) }

// CheckAddress is what the dialler asks.
func CheckAddress(addr netip.Addr, local bool) error { return checkAddress(addr, local) }

// PlainText, CodeBlock and Message are what Slack gets.
func PlainText(s string, most int) string { return plainText(s, most) }

// CodeBlock is a code block of Slack.
func CodeBlock(s string, most int) string { return codeBlock(s, most) }

// TypeOf is the type of an event of approvals.
func TypeOf(k approvals.EventKind) (string, bool) {
	t, ok := types[k]
	return t, ok
}

// Title is the headline in Slack.
func Title(e webhook.Event) string { return titles[e.Type] }
