package notify_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/writhq/writ/controlplane/internal/notify"
)

func TestAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"192.0.2.10": true, "10.1.2.3": true, "2001:db8::1": true, "fd12:3456::1": true, "64:ff9b::c000:20a": true,
		"169.254.169.254": false, "::ffff:169.254.169.254": false, "64:ff9b::a9fe:a9fe": false, "2002:a9fe:a9fe::1": false,
		"::169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fd00:ec2::254": false, "100.100.100.200": false,
		"168.63.129.16": false, "127.0.0.1": false, "127.9.9.9": false, "::1": false, "::ffff:127.0.0.1": false,
		"64:ff9b::7f00:1": false, "0.0.0.0": false, "0.1.2.3": false, "::": false, "255.255.255.255": false, "224.0.0.1": false, "ff02::1": false,
		"240.0.0.1": false, "2001:0:1::1": false, "::ffff:0:169.254.169.254": false, "2600:1f18::1%eth0": false,
	} {
		if err := notify.CheckAddress(netip.MustParseAddr(text), false); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	for text, want := range map[string]bool{
		"127.0.0.1": true, "::1": true, "::ffff:127.0.0.1": true, "192.0.2.10": false, "169.254.169.254": false,
		"64:ff9b::7f00:1": false, "::1%lo": false,
	} {
		if err := notify.CheckAddress(netip.MustParseAddr(text), true); (err == nil) != want {
			t.Errorf("local %s: %v", text, err)
		}
	}
}

// answering is a resolver that answers every name with an address.
func answering(t *testing.T, address string) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			m.Response, m.Authoritative = true, true
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				m.Answers = []dnsmessage.Resource{{
					Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
					Body:   &dnsmessage.AResource{A: netip.MustParseAddr(address).As4()},
				}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = server.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// A name may lead anywhere: what counts is the address that is dialled.
func TestNamesThatLeadInside(t *testing.T) {
	inside, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = inside.Close() })
	dialled := make(chan struct{}, 10)
	go func() {
		for {
			conn, err := inside.Accept()
			if err != nil {
				return
			}
			dialled <- struct{}{}
			_ = conn.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(inside.Addr().String())
	for _, address := range []string{"127.0.0.1", "169.254.169.254"} {
		soc := to(t, "soc", "https://hooks.example.com:"+port)
		soc.Attempts = 1
		st, d := start(t, []notify.Receiver{soc}, func(c *notify.Config) { c.Resolver = answering(t, address) })
		publish(t, st, d, held("hold-1"))
		if dl := awaitState(t, d, "hold-1", notify.Dead); !strings.Contains(dl.Error, "forbidden address") {
			t.Errorf("%s: %s", address, dl.Error)
		}
	}
	select {
	case <-dialled:
		t.Error("it was dialled")
	default:
	}
}

func TestReceiversThatAreRefused(t *testing.T) {
	st, secret := newStore(t), []string{secretFile(t, 'k')}
	hook := func(u string) notify.Receiver {
		return notify.Receiver{Name: "soc", Webhook: &notify.Webhook{URL: u, SecretFiles: secret}}
	}
	change := func(f func(*notify.Receiver)) []notify.Receiver {
		r := hook("https://hooks.example.com/writ")
		f(&r)
		return []notify.Receiver{r}
	}
	many := make([]notify.Receiver, 17)
	for i := range many {
		many[i] = hook("https://hooks.example.com")
		many[i].Name = fmt.Sprintf("r%d", i)
	}
	for name, c := range map[string]struct {
		receivers []notify.Receiver
		want      string
	}{
		"plain http":         {[]notify.Receiver{hook("http://hooks.example.com")}, "must be https"},
		"http by a name":     {[]notify.Receiver{hook("http://localhost.example.com")}, "must be https"},
		"user in the URL":    {[]notify.Receiver{hook("https://me:pw@hooks.example.com")}, "without user"},
		"fragment":           {[]notify.Receiver{hook("https://hooks.example.com/#x")}, "fragment"},
		"other scheme":       {[]notify.Receiver{hook("file:///etc/passwd")}, "url"},
		"no host":            {[]notify.Receiver{hook("https:///x")}, "url"},
		"name":               {change(func(r *notify.Receiver) { r.Name = "A b" }), "name"},
		"name with a slash":  {change(func(r *notify.Receiver) { r.Name = "a/b" }), "name"},
		"twice":              {append(change(func(*notify.Receiver) {}), hook("https://b.example.com")), "twice"},
		"too many":           {many, "at most 16"},
		"nothing":            {change(func(r *notify.Receiver) { r.Webhook = nil }), "webhook or slack"},
		"both":               {change(func(r *notify.Receiver) { r.Slack = &notify.Slack{TokenFile: "x", Channel: "C123"} }), "not both"},
		"unknown event":      {change(func(r *notify.Receiver) { r.Events = []string{"approval.*"} }), "no event"},
		"attempts":           {change(func(r *notify.Receiver) { r.Attempts = 21 }), "attempts"},
		"timeout":            {change(func(r *notify.Receiver) { r.Timeout = 1 }), "timeout"},
		"no secret":          {change(func(r *notify.Receiver) { r.Webhook.SecretFiles = nil }), "secret_files"},
		"secret is missing":  {change(func(r *notify.Receiver) { r.Webhook.SecretFiles = []string{"/nowhere/x"} }), "read secret"},
		"slack with nothing": {[]notify.Receiver{{Name: "s", Slack: &notify.Slack{}}}, "webhook_url_file or token_file"},
		"slack channel":      {[]notify.Receiver{{Name: "s", Slack: &notify.Slack{TokenFile: "x", Channel: "#ops"}}}, "channel"},
		"slack hook channel": {[]notify.Receiver{{Name: "s", Slack: &notify.Slack{WebhookURLFile: "x", Channel: "C0123"}}}, "channel"},
	} {
		_, err := notify.New(notify.Config{Store: st, Receivers: c.receivers, Now: time.Now, Rand: rand.Reader})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), "me:pw") {
			t.Errorf("%s: the error quotes the password", name)
		}
	}
}
