package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestGuard(t *testing.T) {
	tests := []struct {
		addr     string
		loopback bool
		ok       bool
	}{
		{"10.1.2.3", false, true}, {"192.168.0.1", false, true}, {"172.16.5.5", false, true},
		{"52.94.5.1", false, true}, {"2600:1f18::1", false, true}, {"fd12:3456::1", false, true},
		{"64:ff9b::a01:203", false, true},
		{"127.0.0.1", false, false}, {"127.0.0.1", true, true}, {"127.9.9.9", false, false},
		{"::1", false, false}, {"::1", true, true}, {"::ffff:127.0.0.1", false, false}, {"::ffff:127.0.0.1", true, true},
		{"169.254.169.254", true, false}, {"169.254.170.2", true, false}, {"169.254.0.1", true, false},
		{"::ffff:169.254.169.254", true, false}, {"64:ff9b::a9fe:a9fe", true, false}, {"64:ff9b::7f00:1", true, false},
		{"64:ff9b:1::a9fe:a9fe", true, false}, {"2002:a9fe:a9fe::1", true, false}, {"::169.254.169.254", true, false},
		{"::ffff:0:169.254.169.254", true, false}, {"2001:0:1::1", true, false},
		{"fd00:ec2::254", true, false}, {"fd00:ec2::23", true, false}, {"fe80::1", true, false}, {"fe80::1%lo", true, false},
		{"10.0.0.1", true, true}, {"0.0.0.0", true, false}, {"0.1.2.3", true, false}, {"::", true, false},
		{"224.0.0.1", true, false}, {"ff02::1", true, false}, {"255.255.255.255", true, false}, {"240.0.0.1", true, false},
		{"2600:1f18::1%eth0", true, false},
	}
	for _, tt := range tests {
		err := guard{}.check(netip.MustParseAddr(tt.addr), tt.loopback)
		if (err == nil) != tt.ok || (err != nil && !errors.Is(err, ErrForbiddenAddress)) {
			t.Errorf("%s (loopback %v): %v", tt.addr, tt.loopback, err)
		}
	}
	if err := (guard{}).check(netip.Addr{}, true); err == nil {
		t.Error("the zero address is allowed")
	}
}

func TestGuardNetworks(t *testing.T) {
	g := guard{
		allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("64:ff9b::/96")},
		denied:  []netip.Prefix{netip.MustParsePrefix("10.9.0.0/16")},
	}
	for addr, ok := range map[string]bool{
		"10.1.1.1": true, "10.9.1.1": false, "192.168.1.1": false, "::ffff:10.9.1.1": false, "::ffff:10.1.1.1": true,
		"64:ff9b::a01:101": true, "64:ff9b::a09:101": false, "64:ff9b::c0a8:101": false,
	} {
		if err := g.check(netip.MustParseAddr(addr), false); (err == nil) != ok {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// mustNotDial fails the test when anything is dialled.
func mustNotDial(t testing.TB) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, _, address string) (net.Conn, error) {
		t.Errorf("dialled %s", address)
		return nil, errors.New("not to be dialled")
	}
}

// changing is a resolver that answers differently each time, the last answer for
// ever.
type changing struct {
	answers [][]netip.Addr
	asked   int
}

func (c *changing) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	answer := c.answers[min(c.asked, len(c.answers)-1)]
	c.asked++
	return answer, nil
}

func TestDialForbiddenAddresses(t *testing.T) {
	good := netip.MustParseAddr("10.0.0.5")
	for _, bad := range []string{"169.254.169.254", "127.0.0.1", "::1", "fd00:ec2::254", "fe80::1"} {
		for name, list := range map[string]names{
			"alone":      {netip.MustParseAddr(bad)},
			"second":     {good, netip.MustParseAddr(bad)},
			"as mapped4": {netip.AddrFrom16(netip.MustParseAddr(bad).As16())},
		} {
			d := newDialer(t, Config{Dial: mustNotDial(t), Resolver: list})
			_, err := d.Dial(testContext(t), Target{Address: "db.example:5432", Database: "d", User: "u"})
			if !errors.Is(err, ErrForbiddenAddress) {
				t.Errorf("%s %s: %v", bad, name, err)
			}
		}
		d := newDialer(t, Config{Dial: mustNotDial(t)})
		if _, err := d.Dial(testContext(t), Target{Address: net.JoinHostPort(bad, "5432"), Database: "d", User: "u"}); !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s as a literal: %v", bad, err)
		}
	}
}

// Numbers that only libc takes for addresses must not reach a resolver that would
// follow them past the check.
func TestDialChecksWhatTheResolverAnswers(t *testing.T) {
	for _, host := range []string{"2852039166", "0xa9fea9fe", "169.254.43518", "localhost", "LOCALHOST."} {
		d := newDialer(t, Config{Dial: mustNotDial(t), Resolver: names{netip.MustParseAddr("169.254.169.254")}})
		if _, err := d.Dial(testContext(t), Target{Address: host + ":5432", Database: "d", User: "u"}); !errors.Is(err, ErrForbiddenAddress) {
			t.Errorf("%s: %v", host, err)
		}
	}
}

// DNS rebinding: the name is good when it is checked and bad afterwards.
func TestDialResolvesOnce(t *testing.T) {
	lookups := &changing{answers: [][]netip.Addr{{netip.MustParseAddr("10.0.0.5")}, {netip.MustParseAddr("169.254.169.254")}}}
	var dialled []string
	refuse := errors.New("refused")
	d := newDialer(t, Config{Resolver: lookups, Dial: func(_ context.Context, network, address string) (net.Conn, error) {
		dialled = append(dialled, network+" "+address)
		return nil, &net.OpError{Op: "dial", Err: refuse}
	}})
	_, err := d.Dial(testContext(t), Target{Address: "db.example:5432", Database: "d", User: "u"})
	if !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	if lookups.asked != 1 || len(dialled) != 1 || dialled[0] != "tcp 10.0.0.5:5432" {
		t.Errorf("resolved %d times, dialled %q", lookups.asked, dialled)
	}
}

func TestConnectDialsOnlyCheckedAddresses(t *testing.T) {
	d := newDialer(t, Config{Dial: mustNotDial(t)})
	r := &route{network: "tcp", addresses: []string{"10.0.0.5:5432"}}
	if _, err := d.connect(testContext(t), r, "169.254.169.254:80"); !errors.Is(err, ErrForbiddenAddress) {
		t.Error(err)
	}
}

// The driver dials once more by itself, in the background, when an attempt fails.
func TestFailedAttemptDialsNoMore(t *testing.T) {
	a := &attempt{dialer: newDialer(t, Config{Dial: mustNotDial(t)}), route: &route{network: "tcp", addresses: []string{"10.0.0.5:5432"}}}
	a.end(errors.New("failed"))
	if _, err := a.dial(testContext(t), "tcp", "10.0.0.5:5432"); err == nil {
		t.Error("dialled after the end")
	}
}

// The socket's own address is the last word, whatever was decided before.
func TestControlChecksTheSocket(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	address := listener.Addr().String()
	d := newDialer(t, Config{})
	r := &route{network: "tcp", addresses: []string{address}}
	if _, err := d.connect(testContext(t), r, address); !errors.Is(err, ErrForbiddenAddress) {
		t.Error(err)
	}
	r.loopback = true
	conn, err := d.connect(testContext(t), r, address)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

func TestDialTriesNoMoreThanSomeAddresses(t *testing.T) {
	var many names
	for i := range 20 {
		many = append(many, netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}))
	}
	tried := 0
	d := newDialer(t, Config{Resolver: many, Dial: func(context.Context, string, string) (net.Conn, error) {
		tried++
		return nil, &net.OpError{Op: "dial", Err: errors.New("refused")}
	}})
	if _, err := d.Dial(testContext(t), Target{Address: "db.example:5432", Database: "d", User: "u"}); !errors.Is(err, ErrUnreachable) || tried != maxAddresses {
		t.Errorf("%d tried, %v", tried, err)
	}
}

func TestSecretIsNeverPrinted(t *testing.T) {
	secret := Secret("hunter2")
	target := Target{User: "u", Password: secret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%T%v"} {
		for _, value := range []any{secret, target, &target} {
			text := fmt.Sprintf(verb, value)
			for _, leak := range []string{"hunter2", "68756e74", "68756E74", "104 117", "150 165", "0x68"} {
				if strings.Contains(text, leak) {
					t.Errorf("%s prints %q", verb, text)
				}
			}
		}
	}
	text, err := json.Marshal(target)
	if err != nil || strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "aHVudGVyMg") {
		t.Errorf("JSON %s, %v", text, err)
	}
	if secret.Wipe(); string(secret) != strings.Repeat("\x00", 7) {
		t.Error("not wiped")
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Config{Timeout: -1}); err == nil {
		t.Error("a negative timeout")
	}
}

func FuzzParseEndpoint(f *testing.F) {
	for _, seed := range []string{"db.example:5432", "[::1]:5432", "unix:/run/.s.PGSQL.5432", ":5432", "a:b:1", "unix:x", "h:+1", "h:00001"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		end, err := parseEndpoint(address)
		if err != nil {
			if !errors.Is(err, ErrInvalidTarget) {
				t.Fatal(err)
			}
			return
		}
		if (end.path == "") == (end.host == "" || end.port == 0) {
			t.Fatalf("%q gives %+v", address, end)
		}
	})
}
