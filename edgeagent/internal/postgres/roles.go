package postgres

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/writhq/writ/edgeagent/internal/enforce"
)

// Broker is what sessions need from the control plane besides the pipeline.
type Broker interface {
	// ServiceCredential is what the edge itself signs in with.
	ServiceCredential(ctx context.Context, resource string) (enforce.Credential, error)
	// SettleLease confirms that a leased role is gone from the target.
	SettleLease(ctx context.Context, lease string) error
}

// Sweep is a role that a lost session left behind.
type Sweep struct {
	Lease, Resource, Role string
}

// rolePrefix begins the name of every role that is made for a session; nothing else is ever dropped.
const rolePrefix = "writ_s_"

// createRole makes the session's role at the target. The password goes there as a SCRAM
// verifier, so that not even the target's log has it.
func (t *target) createRole(ctx context.Context, cred *enforce.Credential) error {
	if !strings.HasPrefix(cred.User, rolePrefix) {
		return fmt.Errorf("role %q is not one of ours", cred.User)
	}
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return fmt.Errorf("make salt: %w", err)
	}
	verifier, err := scramVerifier(cred.Password, salt)
	if err != nil {
		return err
	}
	limit := max(cred.Role.ConnectionLimit, 1)
	sql := fmt.Sprintf("CREATE ROLE %s LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION INHERIT CONNECTION LIMIT %d PASSWORD %s VALID UNTIL %s",
		ident(cred.User), limit, literal(verifier), literal(cred.Role.ValidUntil.UTC().Format(time.RFC3339)))
	if len(cred.Role.MemberOf) > 0 {
		groups := make([]string, len(cred.Role.MemberOf))
		for i, g := range cred.Role.MemberOf {
			groups[i] = ident(g)
		}
		sql += " IN ROLE " + strings.Join(groups, ", ")
	}
	for _, sql := range []string{lockRole(cred.User), sql} {
		if err := query(ctx, conn, sql, nil); err != nil {
			return fmt.Errorf("create role: %w", withoutText(err))
		}
	}
	return nil
}

// lockRole makes the connection the only one at work on a role until it ends. A server can
// still run what a connection sent that is gone at this end: without the lock a role could
// be created after it was found to be missing.
func lockRole(role string) string {
	sum := sha256.Sum256([]byte(role))
	return fmt.Sprintf("SELECT pg_catalog.pg_advisory_lock(%d)", int64(binary.BigEndian.Uint64(sum[:])))
}

// dropRole ends whatever still runs as the role, and drops it with all it owns or was
// granted. A role that is not there is fine.
func (t *target) dropRole(ctx context.Context, role string) error {
	if !strings.HasPrefix(role, rolePrefix) {
		return fmt.Errorf("role %q is not one of ours", role)
	}
	conn, err := t.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	if err := query(ctx, conn, lockRole(role), nil); err != nil {
		return fmt.Errorf("drop role: %w", withoutText(err))
	}
	left, err := whatIsLeft(ctx, conn, role)
	if err != nil || !left.role {
		return err
	}
	for _, sql := range []string{
		"SET synchronous_commit = on", // else a crash of the target brings the role back after its lease was settled
		"GRANT " + ident(role) + " TO CURRENT_USER",
		"SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE usename OPERATOR(pg_catalog.=) " + literal(role),
		left.handOver(role),
		"DROP OWNED BY " + ident(role),
		"DROP ROLE IF EXISTS " + ident(role),
	} {
		if err := query(ctx, conn, sql, nil); err != nil {
			return fmt.Errorf("drop role: %w", withoutText(err))
		}
	}
	return nil
}

// leftover is what a session's role left at the target.
type leftover struct {
	role  bool   // it is there
	owns  bool   // it made something
	group string // the first group it is in
}

func whatIsLeft(ctx context.Context, conn *pgconn.PgConn, role string) (left leftover, err error) {
	err = query(ctx, conn, `SELECT EXISTS (SELECT FROM pg_catalog.pg_shdepend d WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_authid'::regclass
  AND d.refobjid OPERATOR(pg_catalog.=) r.oid AND d.deptype OPERATOR(pg_catalog.=) 'o')::text,
 coalesce((SELECT g.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles g ON g.oid OPERATOR(pg_catalog.=) m.roleid
  WHERE m.member OPERATOR(pg_catalog.=) r.oid ORDER BY m.roleid LIMIT 1), '')
FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) `+literal(role), func(cols []string) {
		left = leftover{role: true, owns: cols[0] == "true", group: cols[1]}
	})
	return left, err
}

// handOver gives what the role made to its group, never to the edge's own user: a function
// that runs with its owner's rights must not gain any by the end of its session. Without a
// group it goes with the role.
func (l leftover) handOver(role string) string {
	if !l.owns || l.group == "" {
		return "SELECT"
	}
	return "REASSIGN OWNED BY " + ident(role) + " TO " + ident(l.group)
}

// endCredential drops the session's role and settles its lease. While the target or the
// control plane is away that is tried again in the background, once at a time for a role.
func (t *target) endCredential(lease, role string) {
	if role == "" || lease == "" {
		return
	}
	if _, busy := t.ending.LoadOrStore(role, true); busy {
		return
	}
	if err := t.tryEndCredential(lease, role); err != nil {
		t.log.Warn("end session role", "role", role, "error", err)
		go t.endCredentialLater(lease, role)
		return
	}
	t.ending.Delete(role)
}

func (t *target) tryEndCredential(lease, role string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := t.dropRole(ctx, role); err != nil {
		return err
	}
	return t.broker.SettleLease(ctx, lease)
}

// endCredentialLater gives up after a minute, or when the target is no longer served as
// it is: the control plane then asks for what is left.
func (t *target) endCredentialLater(lease, role string) {
	defer t.ending.Delete(role)
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for pause := 250 * time.Millisecond; ; pause = min(2*pause, 8*time.Second) {
		select {
		case <-t.stopped:
			return
		case <-late.C:
			t.log.Warn("end session role, giving up", "role", role)
			return
		case <-time.After(pause):
		}
		if t.tryEndCredential(lease, role) == nil {
			return
		}
	}
}

// withoutText keeps a server error's code and message only: its other fields may quote
// the statement.
func withoutText(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return fmt.Errorf("%s (SQLSTATE %s)", pg.Message, pg.Code)
	}
	return err
}

// ident quotes an identifier.
func ident(name string) string {
	return `"` + strings.ReplaceAll(strings.ReplaceAll(name, "\x00", ""), `"`, `""`) + `"`
}

// literal quotes a string; standard_conforming_strings is on.
func literal(s string) string {
	return `'` + strings.ReplaceAll(strings.ReplaceAll(s, "\x00", ""), `'`, `''`) + `'`
}

// scramVerifier computes what the server stores for SCRAM-SHA-256 (RFC 5803).
func scramVerifier(password, salt []byte) (string, error) {
	const iterations = 4096
	salted, err := pbkdf2.Key(sha256.New, string(password), salt, iterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive verifier: %w", err)
	}
	defer clear(salted)
	clientKey := hmacSum(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(salt), b64(stored[:]), b64(hmacSum(salted, "Server Key"))), nil
}

func hmacSum(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
