package console

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/writhq/writ/test/world"
)

// views are the ways in which every page is looked at.
var views = []struct {
	name, theme   string
	width, height int
}{
	{"light", "light", 1280, 900}, {"dark", "dark", 1280, 900}, {"phone", "light", 375, 812}, {"phone-dark", "dark", 375, 812},
}

// axe is axe-core's source, from what the console is built with.
func axe(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile(filepath.Join("..", "..", "controlplane", "console", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Fatal("axe-core is not there; run make console: ", err)
	}
	return string(source)
}

// Every page in every view: axe-core finds nothing, nothing scrolls sideways, and the browser does not complain.
func TestPages(t *testing.T) {
	o := newOffice(t)
	source := axe(t)
	hold, session := o.busy(t)
	b := open(t, 1280, 900)
	b.theme("light")
	b.visit(o.home, "Example Corp")
	o.everyView(t, b, "signin", source)
	o.signIn(b)
	for _, page := range []struct{ name, path, shows string }{
		{"approvals", "/approvals", "DELETE FROM order_items"},
		{"approval", "/approvals/" + hold, "DELETE FROM order_items"},
		{"requests", "/requests", "ada@example.com"},
		{"grants", "/grants", "ada@example.com"},
		{"sessions", "/sessions", "ada@example.com"},
		{"session", "/sessions/" + session, "SELECT"},
		{"principals", "/principals", "ada@example.com"},
		{"resources", "/resources", world.Resource},
		{"resource", "/resources/" + world.Resource, "public.customers"},
		{"edges", "/edges", world.EdgeName},
		{"policy", "/policy", "access.cedar"},
		{"locks", "/locks", "mallory@example.com"},
		{"audit", "/audit", "orders-db"},
		{"notifications", "/notifications", "Notifications"},
		{"nowhere", "/nowhere", "nothing at this address"},
	} {
		t.Run(page.name, func(t *testing.T) {
			b := b.in(t)
			b.visit(o.home+page.path, page.shows)
			o.everyView(t, b, page.name, source)
		})
	}
	if c := b.complaints(); len(c) > 0 {
		t.Errorf("the browser complains: %q", c)
	}
}

func (o *office) everyView(t *testing.T, b *browser, page, source string) {
	t.Helper()
	for _, v := range views {
		b.resize(v.width, v.height)
		b.theme(v.theme)
		b.until("document.querySelector('h1') && !document.querySelector('[aria-busy=true]')", "the page to be there")
		b.look(page + "-" + v.name)
		b.accessible(page+" "+v.name, source)
		if wide, err := evaluate[bool](b, "document.documentElement.scrollWidth > window.innerWidth"); err != nil || wide {
			t.Errorf("%s %s scrolls sideways (%v)", page, v.name, err)
		}
	}
	b.resize(1280, 900)
	b.theme("light")
}

// busy fills the world with something to see, and returns a held command and an ended session.
func (o *office) busy(t *testing.T) (hold, session string) {
	t.Helper()
	ctx := context.Background()
	ada := o.Token("ada@example.com", "agent", "agents")
	root := o.Administrator()
	if _, err := o.Grant(ctx, ada, "--ticket", "OPS-4711"); err != nil {
		t.Fatal(err)
	}
	o.psql(t, ada, "SELECT id, name, email, phone FROM customers ORDER BY id LIMIT 5", "SELECT count(*) FROM orders WHERE status = 'new'",
		"UPDATE orders SET status = 'paid' WHERE id = 17", "DROP TABLE orders").ends(t)
	out, err := o.Writ(ctx, root, "sessions", "list", "--all", "-o", "json")
	if err != nil {
		t.Fatal(err)
	}
	session = regexp.MustCompile(`ses-[0-9a-z]+`).FindString(out)
	held := o.psql(t, ada, "DELETE FROM order_items")
	held.prints(t, "held by Writ")
	hold = regexp.MustCompile(`hold-[0-9a-z]+`).FindString(held.String())
	if _, err := o.Writ(ctx, root, "lock", "principal", "mallory@example.com", "--reason", "a leaked token"); err != nil {
		t.Fatal(err)
	}
	return hold, session
}
