package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
)

// What a session made goes to its group at the end, not to the edge's own user, who can do more.
func TestDroppedRoleHandsOverToItsGroup(t *testing.T) {
	l := newLab(t)
	l.pg.Exec(t, "shop", "CREATE ROLE makers; GRANT CREATE, USAGE ON SCHEMA public TO makers")
	target, err := l.server.targets.get("shop-db")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for _, c := range []struct {
		role, owner string
		groups      []string
	}{
		{"writ_s_grouped", "makers", []string{"makers"}},
		{"writ_s_alone", "", nil},
	} {
		cred := enforce.Credential{User: c.role, Password: []byte("session password"), Role: &enforce.Role{MemberOf: c.groups, ValidUntil: time.Now().Add(time.Hour)}}
		if err := target.createRole(ctx, &cred); err != nil {
			t.Fatal(err)
		}
		l.pg.Exec(t, "shop", "GRANT CREATE ON SCHEMA public TO "+c.role+"; SET ROLE "+c.role+"; CREATE FUNCTION made_by_"+c.role+"() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'")
		if err := target.dropRole(ctx, c.role); err != nil {
			t.Fatal(err)
		}
		if n := l.pg.Value(t, "shop", "SELECT count(*) FROM pg_roles WHERE rolname = '"+c.role+"'"); n != "0" {
			t.Errorf("%s is still there", c.role)
		}
		if owner := l.pg.Value(t, "shop", "SELECT proowner::regrole FROM pg_proc WHERE proname = 'made_by_"+c.role+"'"); owner != c.owner {
			t.Errorf("what %s made belongs to %q, want %q", c.role, owner, c.owner)
		}
	}
}
