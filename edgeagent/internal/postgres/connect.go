package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// harmless are the settings that every client may start with.
var harmless = []string{
	"application_name", "datestyle", "timezone", "intervalstyle", "extra_float_digits", "statement_timeout", "lock_timeout",
	"idle_in_transaction_session_timeout", "bytea_output", "geqo", "client_min_messages", "search_path",
	"default_transaction_read_only", "default_transaction_isolation", "jit", "work_mem", "options", "user", "database",
	"client_encoding", "standard_conforming_strings", "lc_messages", "lc_monetary", "lc_numeric", "lc_time", "xmloption",
	"tcp_keepalives_idle", "tcp_keepalives_interval", "tcp_keepalives_count", "tcp_user_timeout",
}

// settings returns what the client wants its session to start with, or why that is refused.
func (c *client) settings() (map[string]string, *enforce.Denied) {
	out := map[string]string{}
	if name := c.start.Repeated(); name != "" {
		return nil, badStart("the parameter " + name + " is given twice")
	}
	for _, p := range c.start.Params {
		name := strings.ToLower(p.Name)
		switch {
		case strings.HasPrefix(name, "_pq_."), name == "user", name == "database":
			continue
		case name == "replication":
			if off[strings.ToLower(p.Value)] {
				continue
			}
			return nil, badStart("replication is not served through the gateway")
		case name == "options":
			more, bad := parseOptions(p.Value)
			if bad != nil {
				return nil, bad
			}
			for n, v := range more {
				if bad := addSetting(out, n, v); bad != nil {
					return nil, bad
				}
			}
			continue
		}
		if bad := addSetting(out, name, p.Value); bad != nil {
			return nil, bad
		}
	}
	return out, nil
}

var off = map[string]bool{"": true, "false": true, "off": true, "no": true, "0": true}

func addSetting(out map[string]string, name, value string) *enforce.Denied {
	if !slices.Contains(harmless, name) {
		return badStart("the setting " + name + " cannot be given when connecting; use SET in the session")
	}
	if want, fixed := fixedSettings[name]; fixed && want != "*" {
		if !sameSetting(name, value) {
			return badStart("the setting " + name + " is fixed by the gateway")
		}
		return nil
	}
	out[name] = value
	return nil
}

func badStart(reason string) *enforce.Denied {
	return &enforce.Denied{Cause: enforce.CauseUnreadable, Reason: reason, Next: "change the connection's parameters"}
}

// parseOptions reads "-c name=value" and "--name=value" with backslash escapes, as the
// server does (pg_split_opts in utils/init/postinit.c).
func parseOptions(s string) (map[string]string, *enforce.Denied) {
	out := map[string]string{}
	words := splitOptions(s)
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return nil, badStart("the option " + w + " is not understood")
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, badStart("the option " + w + " has no value")
		}
		out[strings.ToLower(strings.ReplaceAll(name, "-", "_"))] = value
	}
	return out, nil
}

func splitOptions(s string) (words []string) {
	var word strings.Builder
	in, escaped := false, false
	for _, r := range s {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\':
			in, escaped = true, true
		case strings.ContainsRune(" \t\n\r\v\f", r):
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		default:
			in = true
			word.WriteRune(r)
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

// connect signs in at the target and prepares the session. done gives everything back.
func (c *client) connect(ctx context.Context, sess *enforce.Session, settings map[string]string) (_ *proxy, done func(), err error) {
	t, err := c.s.targets.get(string(sess.Resource().Name))
	if err != nil {
		return nil, nil, err
	}
	if bad := c.checkNames(sess, t); bad != nil {
		return nil, nil, bad
	}
	cred := sess.TakeCredential()
	defer cred.Wipe()
	role := ""
	if cred.Role != nil {
		role = cred.User
		if err := t.createRole(ctx, &cred); err != nil {
			t.endCredential(cred.Lease, role)
			return nil, nil, err
		}
	}
	giveBack := func() { t.endCredential(cred.Lease, role) }
	defer func() {
		if err != nil {
			giveBack()
		}
	}()
	to := t.res.target(cred.User, cred.Password)
	to.Params = maps.Clone(settings)
	to.Application = settings["application_name"]
	delete(to.Params, "application_name")
	if to.Params == nil {
		to.Params = map[string]string{}
	}
	to.Params["client_encoding"] = "UTF8"
	server, err := c.s.cfg.Dialer.Dial(ctx, to)
	if err != nil {
		return nil, nil, fmt.Errorf("dial target: %w", err)
	}
	p := &proxy{
		sess: sess, target: t, log: t.log.With("session", sess.ID()), client: c.conn, out: newWriter(c.conn),
		in: pgwire.NewFrontendReader(c.conn, pgwire.Options{BufferSize: 4 << 10}), server: server, sin: pgwire.NewBackendReader(server, pgwire.Options{BufferSize: 8 << 10}),
		sout: newWriter(server), due: newQueue(), shapes: shapes{}, names: newNames(), resync: true,
	}
	p.onHold, p.onPreview = p.held, p.preview
	p.in.Authenticated()
	p.sin.Authenticated()
	pid, key, err := c.s.cancels.register(p, keyLength(c.speak))
	if err != nil {
		server.Close()
		return nil, nil, err
	}
	done = func() {
		c.s.cancels.remove(pid)
		giveBack()
	}
	return p, done, c.welcome(p, pid, key)
}

// checkNames refuses a client that means another database or principal than its token.
func (c *client) checkNames(sess *enforce.Session, t *target) error {
	db, user := c.start.Get("database"), c.start.Get("user")
	if db == "" {
		db = user
	}
	if db != t.res.Name() && db != t.res.Database && db != user {
		return &localError{code: pgwire.StateInvalidCatalogName, message: fmt.Sprintf("the access token is for %s, not for database %q", t.res.Name(), db),
			hint: "connect with dbname=" + t.res.Name()}
	}
	who := sess.Principal()
	if user != who.ID && user != "writ" && (who.Email == "" || user != who.Email) {
		return &localError{code: pgwire.StateInvalidAuthorization, message: fmt.Sprintf("the access token is not for user %q", user),
			hint: "connect with user=writ or with your principal's name"}
	}
	return nil
}

func keyLength(v pgwire.Version) int {
	if v == pgwire.Version30 {
		return 4
	}
	return 32
}

// welcome tells the client that its session is ready.
func (c *client) welcome(p *proxy, pid uint32, key []byte) error {
	frames, err := (&pgwire.Authentication{Kind: pgwire.AuthOK}).Append(nil)
	if err != nil {
		return err
	}
	names := slices.Sorted(maps.Keys(p.server.Parameters))
	for _, name := range names {
		value := p.server.Parameters[name]
		switch name {
		case "session_authorization":
			value = p.sess.Principal().ID
		case "is_superuser":
			value = "off"
		}
		if frames, err = (&pgwire.ParameterStatus{Name: name, Value: value}).Append(frames); err != nil {
			return err
		}
	}
	frames, err = pgwire.AppendAll(frames, &pgwire.BackendKeyData{ProcessID: pid, SecretKey: key}, &pgwire.ReadyForQuery{Status: pgwire.TxIdle})
	if err != nil {
		return err
	}
	if _, err := c.conn.Write(frames); err != nil {
		return fmt.Errorf("welcome client: %w", err)
	}
	return nil
}

func approvalsText(approvals []policy.Approval) string {
	parts := make([]string, len(approvals))
	for i, a := range approvals {
		parts[i] = a.String()
	}
	return strings.Join(parts, ", ")
}
