package replay_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/writhq/writ/pkg/cli/internal/replay"
)

// hostile is text that would break out of a page, act, or hide.
const hostile = "</pre></style><script>alert(1)</script><img src=x onerror=alert(2)><!-- ' \" \u202eevil\u2066 \x1b]0;t\x07 \x00 \xff {{.}} &lt;"

// pageOf renders records, which are named fields of pkg/audit's JSON.
func pageOf(t testing.TB, cfg replay.PageConfig, records ...map[string]any) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cfg.Out = &out
	if cfg.Session == "" {
		cfg.Session = "ses-1"
	}
	p, err := replay.NewPage(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range records {
		if r["time"] == nil {
			r["time"] = fmt.Sprintf("2026-11-23T12:00:%02dZ", i%60)
		}
		raw, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Add(raw); err != nil {
			t.Fatal(err)
		}
	}
	err = p.Close()
	return out.String(), err
}

// everything fills each field that is shown, of every kind.
func everything(text string) (all []map[string]any) {
	kinds := []string{"session_open", "command", "rows", "outcome", "refusal", "hold", "hold_decided", "notice", "stream", "damage", "session_close", text}
	for _, kind := range kinds {
		for _, protocol := range []string{"postgres", "kubernetes", text} {
			all = append(all, map[string]any{
				"kind": "session_open", "protocol": protocol, "principal": text,
			}, map[string]any{
				"kind": kind, "edge": text, "principal": text, "resource": text, "client_addr": text, "protocol": protocol, "application": text,
				"command": text, "statement": text, "params": []any{text, nil, map[string]string{"base64": "/w=="}}, "decision": text, "policy_ids": []string{text},
				"revision": 3, "reason": text, "hold_id": text, "masked_columns": []string{text}, "row_count": 1, "duration": text, "command_tag": text,
				"error_code": text, "error_message": text, "columns": []string{text, "b"}, "rows": [][]any{{text, nil}},
				"attrs": []map[string]string{{"name": "stream", "value": text}, {"name": text, "value": text}}, "trimmed": true,
			})
		}
	}
	return all
}

// foreign is what of a page is not from its template.
func foreign(page string) (found []string) {
	allowed := map[string][]string{
		"html": {"lang"}, "head": nil, "meta": {"charset", "http-equiv", "content", "name"}, "title": nil, "style": nil, "body": nil, "header": nil, "h1": nil, "small": nil,
		"dl": nil, "dt": nil, "dd": {"class"}, "main": nil, "ol": nil, "li": {"class"}, "time": {"datetime", "title"}, "div": {"class", "tabindex", "role", "aria-label"},
		"p": nil, "b": nil, "pre": {"class"}, "table": nil, "tr": nil, "th": {"class"}, "td": {"class"}, "footer": nil,
	}
	z := html.NewTokenizer(strings.NewReader(page))
	styles := 0
	for z.Next() != html.ErrorToken {
		token := z.Token()
		switch token.Type {
		case html.CommentToken:
			found = append(found, "comment "+token.Data)
		case html.StartTagToken, html.SelfClosingTagToken:
			attrs, ok := allowed[token.Data]
			if !ok {
				found = append(found, "element "+token.String())
			}
			if token.Data == "style" {
				styles++
			}
			for _, a := range token.Attr {
				if !strings.Contains(" "+strings.Join(attrs, " ")+" ", " "+a.Key+" ") || strings.Contains(a.Val, "alert") {
					found = append(found, "attribute of "+token.String())
				}
			}
		}
	}
	if styles != 1 {
		found = append(found, fmt.Sprintf("%d styles", styles))
	}
	return found
}

// The page has the elements and attributes of its own template and no others, whatever was recorded.
func TestNothingRecordedBecomesMarkup(t *testing.T) {
	page, err := pageOf(t, replay.PageConfig{Session: hostile, Made: hostile}, everything(hostile)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range foreign(page) {
		t.Error(what)
	}
	for _, r := range "\u202e\u2066\x1b\x07\x00\ufffd" {
		if strings.ContainsRune(page, r) {
			t.Errorf("%U passed", r)
		}
	}
	if !strings.Contains(page, `\u{202e}`) || !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("the text is not shown")
	}
}

func TestPolicyOfAPage(t *testing.T) {
	page, err := pageOf(t, replay.PageConfig{})
	if err != nil {
		t.Fatal(err)
	}
	policy := strings.Index(page, `http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-`)
	if policy < 0 || policy > strings.Index(page, "<style>") || policy > strings.Index(page, "<title>") {
		t.Errorf("no policy before everything else: %.300s", page)
	}
	for _, never := range []string{"script", "http:", "https:", "url(", "@import", "unsafe-inline"} {
		if strings.Contains(page, never) {
			t.Errorf("%s in the page", never)
		}
	}
}

func TestPageShowsWhatHappened(t *testing.T) {
	stream := func(name, text string) map[string]any {
		return map[string]any{"kind": "stream", "command": "c2", "params": []any{text}, "attrs": []map[string]string{{"name": "stream", "value": name}}}
	}
	page, err := pageOf(t, replay.PageConfig{Made: "Made today."},
		map[string]any{"kind": "session_open", "principal": "ada", "resource": "orders-db", "protocol": "postgres"},
		map[string]any{"kind": "command", "command": "c1", "statement": "SELECT 1", "policy_ids": []string{"p1"}, "revision": 7, "params": []any{"x"}},
		map[string]any{"kind": "rows", "command": "c1", "columns": []string{"id", "email"}, "masked_columns": []string{"email"}, "rows": [][]any{{"1", "***"}, {"2", nil}}},
		map[string]any{"kind": "refusal", "command": "c9", "statement": "DROP TABLE x", "reason": "no"},
		stream("resize", "80x24"), stream("stdout", "$ \x1b[1mlx"), stream("stdin", "secret"), stream("stdout", "\b"), stream("stdout", "s\x1b[0m\r\n\x1b]0;t\x07a\r"), stream("stdout", "\nb\u202e\r\n"),
		map[string]any{"kind": "damage", "reason": "record 9 is missing", "time": "0001-01-01T00:00:00Z"},
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"<dt>principal</dt><dd>ada</dd>", "<b>allow</b> by p1 at revision 7", "<pre>\nSELECT 1</pre>", `<dt>$1</dt><dd class="value">x</dd>`,
		`<th class="masked">email</th>`, `<td class="null">NULL</td>`, `<li class="record deny">`, "<b>deny</b> because no",
		"<pre class=\"terminal\">\n$ ls\na\nb\\u{202e}\n</pre>", `<li class="record damage">`, "damaged in 1 places", "11 records: 1 commands allowed, 1 refused", "<p>Made today.</p>",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page[strings.Index(page, "<body>"):])
		}
	}
	if strings.Contains(page, "secret") {
		t.Error("what was typed and not shown is shown")
	}
}

func TestPageOfOneCommand(t *testing.T) {
	records := []map[string]any{{"kind": "session_open", "principal": "ada"}, {"kind": "command", "command": "c1", "statement": "one"}, {"kind": "command", "command": "c2", "statement": "two"}}
	page, err := pageOf(t, replay.PageConfig{Command: "c2"}, records...)
	if err != nil || strings.Contains(page, "\none</pre>") || !strings.Contains(page, "\ntwo</pre>") || !strings.Contains(page, "<dd>ada</dd>") {
		t.Errorf("%v\n%s", err, page)
	}
	if _, err := pageOf(t, replay.PageConfig{Command: "c3"}, records...); !errors.Is(err, replay.ErrNone) {
		t.Errorf("%v", err)
	}
}

func FuzzPage(f *testing.F) {
	f.Add(hostile)
	f.Add("\x1b[")
	f.Fuzz(func(t *testing.T, text string) {
		all := everything(text)
		page, err := pageOf(t, replay.PageConfig{Session: "s" + text}, all[:8]...)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range foreign(page) {
			t.Error(what)
		}
	})
}
