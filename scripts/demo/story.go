package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"
)

var (
	holdID    = regexp.MustCompile(`hold-[0-9a-z]+`)
	sessionID = regexp.MustCompile(`ses-[0-9a-z]+`)
)

// tell tells the story; the first step that does not give what it should ends it.
func (s *stage) tell(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		s.identity, s.request, s.masked, s.blocked, s.held, s.replay, s.revoked,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *stage) identity(ctx context.Context) error {
	s.scene("Who acts", "ada is an agent. Her token comes from the company's identity provider; she holds no other secret.")
	r, err := s.play(ctx, ada, "writ whoami")
	return s.verify(err, claim{r.code == 0 && strings.Contains(r.text, ada.name()) && strings.Contains(r.text, "kim@example.com"),
		"she is known by a verified identity, and for whom she acts"})
}

func (s *stage) request(ctx context.Context) error {
	s.scene("Access right before it is needed", "She asks for a database, a time and says why. Policy decides.")
	r, err := s.play(ctx, ada, "writ psql orders-db")
	if err := s.verify(err, claim{r.code != 0 && strings.Contains(r.text, "writ request"), "without a grant there is no way in, and she is told what to ask for"}); err != nil {
		return err
	}
	r, err = s.play(ctx, ada, `writ request orders-db --for 30m --reason "refund ticket 4711" --ticket OPS-4711`)
	return s.verify(err, claim{r.code == 0 && grantID.MatchString(r.text), "the demo's policy grants it at once"})
}

func (s *stage) masked(ctx context.Context) error {
	s.scene("Masked results", "Personal data is masked by where a column comes from, through views, functions and expressions.")
	const query = `SELECT id, name, email, phone, card FROM customers ORDER BY id LIMIT 3`
	r, err := s.play(ctx, ada, `writ psql orders-db -- -c "`+query+`"`)
	if err != nil {
		return err
	}
	email, err := s.value(ctx, "SELECT email FROM customers WHERE id = 1")
	if err != nil {
		return err
	}
	card, err := s.value(ctx, "SELECT card FROM customers WHERE id = 1")
	if err != nil {
		return err
	}
	err = s.verify(nil, claim{r.code == 0 && !strings.Contains(r.text, email) && !strings.Contains(r.text, card) && strings.Count(r.text, "***") >= 3,
		"the values are in the database and not in the result"})
	if err != nil {
		return err
	}
	r, err = s.play(ctx, ada, `writ psql orders-db -- -c "SELECT lower(contact) AS contact, customer_email(id) FROM customer_contacts WHERE id = 1"`)
	if err := s.verify(err, claim{r.code == 0 && !strings.Contains(r.text, email), "a view, a function and lower() do not change that"}); err != nil {
		return err
	}
	if _, err = s.w.Writ(ctx, must(s.token(pia)), "request", "orders-db", "--for", "30m", "--reason", "monthly report"); err != nil {
		return err
	}
	r, err = s.play(ctx, pia, `writ psql orders-db -- -c "`+query+`"`)
	return s.verify(err, claim{r.code == 0 && strings.Contains(r.text, email) && !strings.Contains(r.text, card),
		"pia is in pii-readers and sees addresses; card numbers nobody sees"})
}

// must is for tokens, whose making cannot fail once the issuer runs.
func must(token string, err error) string {
	if err != nil {
		return ""
	}
	return token
}

func (s *stage) blocked(ctx context.Context) error {
	s.scene("A blocked DROP", "Plain psql, with an access token as its password. Each statement is decided before it is sent.")
	r, err := s.play(ctx, ada, `PGPASSWORD=$(writ token orders-db) psql "$ORDERS_DB" -c "DROP TABLE orders" -c "SELECT count(*) FROM orders"`)
	if err != nil {
		return err
	}
	rows, err := s.value(ctx, "SELECT count(*) FROM orders")
	if err != nil {
		return err
	}
	log, err := os.ReadFile(s.w.PG.LogFile())
	return s.verify(err,
		claim{strings.Contains(r.text, "no-schema-changes") && strings.Contains(r.text, "100000"), "it is an ordinary error that names the policy, and the session goes on"},
		claim{rows == "100000" && !strings.Contains(string(log), "DROP TABLE orders"), "the database never saw it"})
}

const deletion = `DELETE FROM orders WHERE status = 'returned' AND created_at < '2025-10-01'`

func (s *stage) held(ctx context.Context) error {
	s.scene("A held DELETE", "Policy wants a database administrator to agree. Ada's psql waits; nothing else is needed on her side.")
	const condition = `FROM orders WHERE status = 'returned' AND created_at < '2025-10-01'`
	before, err := s.value(ctx, "SELECT count(*) "+condition)
	if err != nil {
		return err
	}
	waiting, err := s.begin(ctx, ada, `writ psql orders-db -- -c "SELECT count(*) `+condition+`" -c "`+deletion+`"`)
	if err != nil {
		return err
	}
	defer waiting.cancel()
	id, err := waiting.await(ctx, holdID)
	if err != nil {
		return err
	}
	during, err := s.value(ctx, "SELECT count(*) "+condition)
	if err := s.verify(err, claim{before != "0" && during == before, "while it waits, all " + before + " rows are there"}); err != nil {
		return err
	}
	if err := s.approve(ctx, id); err != nil {
		return err
	}
	r, err := waiting.wait()
	if err != nil {
		return err
	}
	after, err := s.value(ctx, "SELECT count(*) "+condition)
	return s.verify(err, claim{r.code == 0 && strings.Contains(r.text, "DELETE "+before) && after == "0", "once approved it ran: " + before + " rows are gone"})
}

// approve has the requester refused and an administrator agree.
func (s *stage) approve(ctx context.Context, id string) error {
	r, err := s.play(ctx, ada, "writ approve "+id+" --yes")
	if err := s.verify(err, claim{r.code != 0, "an agent approves nothing, least of all its own command"}); err != nil {
		return err
	}
	if _, err := s.play(ctx, carol, "writ list"); err != nil {
		return err
	}
	r, err = s.play(ctx, carol, "writ approve "+id+` --yes --comment "agreed in OPS-4711"`)
	return s.verify(err, claim{r.code == 0 && strings.Contains(r.text, deletion), "carol saw exactly what runs; her approval is for its digest and is spent once"})
}

func (s *stage) replay(ctx context.Context) error {
	s.scene("The recording", "olga is an auditor. Each record is durable before a write goes out.")
	list, err := s.play(ctx, olga, "writ sessions list --all")
	if err != nil {
		return err
	}
	var session string
	err = poll(ctx, 20*time.Second, func() (bool, error) {
		session, err = s.sessionOf(ctx, list.text, deletion)
		return session != "", err
	})
	if err != nil {
		return fmt.Errorf("find the recording of the DELETE: %w", err)
	}
	r, err := s.play(ctx, olga, "writ sessions replay "+session+" --no-delay")
	if err := s.verify(err, claim{r.code == 0 && strings.Contains(r.text, deletion) && strings.Contains(r.text, carol.name()), "the statement, its decision and who approved are there"}); err != nil {
		return err
	}
	return s.unspoilt(ctx, list.text)
}

// sessionOf finds the session whose recording has a statement.
func (s *stage) sessionOf(ctx context.Context, list, statement string) (string, error) {
	for _, id := range sessionID.FindAllString(list, -1) {
		text, err := s.w.Writ(ctx, must(s.token(olga)), "sessions", "replay", id, "--no-delay")
		if err != nil {
			return "", err
		}
		if strings.Contains(text, statement) {
			return id, nil
		}
	}
	return "", nil
}

// unspoilt looks for masked values in the recordings of ada's sessions.
func (s *stage) unspoilt(ctx context.Context, list string) error {
	email, err := s.value(ctx, "SELECT email FROM customers WHERE id = 1")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(list, "\n") {
		id := sessionID.FindString(line)
		if id == "" || !strings.Contains(line, ada.name()) {
			continue
		}
		text, err := s.w.Writ(ctx, must(s.token(olga)), "sessions", "replay", id, "-o", "json")
		if err != nil {
			return err
		}
		if strings.Contains(text, email) {
			return errors.New("a masked value is in the recording of " + id)
		}
	}
	return s.verify(nil, claim{true, "no masked value is in any recording of ada's"})
}

func (s *stage) revoked(ctx context.Context) error {
	s.scene("Revoked in the middle of a query", "rita ends the grant while ada's query runs.")
	grants, err := s.w.Writ(ctx, must(s.token(ada)), "grants", "list", "-o", "json")
	if err != nil {
		return err
	}
	grant := grantID.FindString(grants)
	running, err := s.begin(ctx, ada, `writ psql orders-db -- -c "SELECT count(*) FROM orders a, orders b WHERE a.total < b.total"`)
	if err != nil {
		return err
	}
	defer running.cancel()
	var role string
	err = poll(ctx, 20*time.Second, func() (bool, error) {
		role, err = s.value(ctx, `SELECT coalesce(max(usename), '') FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%orders a, orders b%' AND pid <> pg_backend_pid()`)
		return role != "", err
	})
	if err != nil {
		return fmt.Errorf("wait for the query: %w", err)
	}
	if err := s.verify(nil, claim{true, "it runs at the database as " + role + ", a role made for this session alone"}); err != nil {
		return err
	}
	began := time.Now()
	r, err := s.play(ctx, rita, "writ revoke "+grant+` --reason "ticket closed"`)
	if err := s.verify(err, claim{r.code == 0, "revoked"}); err != nil {
		return err
	}
	r, err = running.wait()
	cut := time.Since(began)
	if err := s.verify(err, claim{r.code != 0, fmt.Sprintf("her connection was cut %.1f s after the command was typed", cut.Seconds())}); err != nil {
		return err
	}
	err = poll(ctx, 20*time.Second, func() (bool, error) {
		left, err := s.value(ctx, `SELECT (SELECT count(*) FROM pg_stat_activity WHERE usename = $1) + (SELECT count(*) FROM pg_roles WHERE rolname = $1)`, role)
		return left == "0", err
	})
	return s.verify(err, claim{err == nil, "the query is gone from the database, and so is its role"})
}
