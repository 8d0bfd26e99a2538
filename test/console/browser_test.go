// Package console tests the web console as people meet it: in Chromium, signed in at a real OpenID provider, before the real
// binaries.
package console

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is one window of one person.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complained []string
}

// chromium finds the browser, which `make test` installs.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("no Chromium: run scripts/need chromium")
	return ""
}

// open starts a browser with an empty profile, of a window's size in pixels.
func open(t *testing.T, width, height int) *browser {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.WindowSize(width, height),
		chromedp.IgnoreCertErrors, // the authority is the control plane's own
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("hide-scrollbars", false),
	)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() { cancel(); stop() })
	b := &browser{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	if err != nil {
		t.Fatal(err)
	}
	b.resize(width, height)
	return b
}

// in is the same window within a part of the test.
func (b *browser) in(t *testing.T) *browser { return &browser{t: t, ctx: b.ctx} }

// resize makes the window as large, and a phone where it is narrow.
func (b *browser) resize(width, height int) {
	b.t.Helper()
	var opts []chromedp.EmulateViewportOption
	if width < 600 {
		opts = append(opts, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait)
	}
	b.do(chromedp.EmulateViewport(int64(width), int64(height), opts...))
}

// complaints are what the browser logged as errors: blocked by the content security policy, thrown, not found.
func (b *browser) complaints() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complained)
}

func (b *browser) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *log.EventEntryAdded:
		asked := strings.HasSuffix(e.Entry.URL, "/WhoAmI") && strings.Contains(e.Entry.Text, "401") // before the sign-in
		if e.Entry.Level == log.EntryLevelError && !asked && !strings.HasSuffix(e.Entry.URL, "/favicon.ico") {
			b.complained = append(b.complained, e.Entry.Text+" "+e.Entry.URL)
		}
	case *runtime.EventExceptionThrown:
		b.complained = append(b.complained, e.ExceptionDetails.Text)
	}
}

// do runs actions, for at most half a minute.
func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatalf("%v\n%s", err, b.text())
	}
}

// evaluate returns what a script says.
func evaluate[T any](b *browser, script string, opts ...chromedp.EvaluateOption) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](script, opts...))
}

// text is what can be read on the page now.
func (b *browser) text() string {
	text, err := evaluate[string](b, "location.href + '\\n' + document.body.innerText")
	if err != nil {
		return err.Error()
	}
	return text
}

// visit goes to a page and waits until it says something.
func (b *browser) visit(address, text string) {
	b.t.Helper()
	b.do(chromedp.Navigate(address))
	b.reads(text)
}

// reads waits until the page shows the text.
func (b *browser) reads(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("document.body && document.body.innerText.includes(%s)", quoted(text)), "the page to show "+text)
}

// until waits for a condition of the page.
func (b *browser) until(condition, what string) {
	b.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if is, err := evaluate[bool](b, "!!("+condition+")"); err == nil && is {
			return
		}
	}
	b.look("failed-" + b.t.Name())
	b.t.Fatalf("waited in vain for %s:\n%s", what, b.text())
}

// control finds what has a role and a name for assistive technology, as people using one would.
const control = `(role, name) => {
  const kinds = {button: 'button,[role=button]', link: 'a[href]', field: 'input,textarea,select,[role=textbox],[role=combobox]', tab: '[role=tab]', any: '*'};
  const named = (e) => [e.getAttribute('aria-label'), e.innerText, e.title, e.placeholder, ...[...(e.labels || [])].map((l) => l.innerText),
    ...(e.getAttribute('aria-labelledby') || '').split(' ').map((id) => id && document.getElementById(id)?.innerText)];
  const seen = (e) => e.getClientRects().length > 0 && !e.disabled;
  const open = document.querySelector('dialog[open],[role=dialog]');
  const all = [...(open || document).querySelectorAll(kinds[role])].filter(seen);
  const is = (test) => all.find((e) => named(e).some((n) => n && test(n.trim().replace(/\s+/g, ' ').toLowerCase())));
  name = name.toLowerCase();
  return is((n) => n === name) || is((n) => n.startsWith(name)) || is((n) => n.includes(name));
}`

// press clicks what has that role ("button", "link", "tab") and name, as soon as it is there.
func (b *browser) press(role, name string) {
	b.t.Helper()
	b.until(fmt.Sprintf("(() => { const e = (%s)(%s, %s); if (!e) return false; e.scrollIntoView({block: 'center'}); e.focus(); e.click(); return true; })()",
		control, quoted(role), quoted(name)), role+" "+name)
}

// fill types into the field of that name.
func (b *browser) fill(name, value string) {
	b.t.Helper()
	b.until(fmt.Sprintf("(() => { const e = (%s)('field', %s); if (!e) return false; e.focus(); e.select?.(); return true; })()", control, quoted(name)), "field "+name)
	b.do(chromedp.KeyEvent(value))
}

// editor is where the policy editor keeps its elements.
const editor = "document.querySelector('.editor')?.shadowRoot"

// append writes at the end of what is in the editor.
func (b *browser) append(text string) {
	b.t.Helper()
	b.until("(() => { const e = "+editor+"?.querySelector('.cm-content'); if (!e) return false; e.focus(); return true; })()", "the editor")
	b.do(chromedp.KeyEvent(kb.End, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	if _, err := chromedp.Call(b.ctx, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
		b.t.Fatal(err)
	}
}

func quoted(text string) string {
	b, _ := json.Marshal(text) // of a string it cannot fail
	return string(b)
}

// look keeps a picture of the page, where WRIT_SCREENSHOTS names a folder.
func (b *browser) look(name string) {
	b.t.Helper()
	dir := os.Getenv("WRIT_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// theme makes pages light or dark.
func (b *browser) theme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// violation is a finding of axe-core.
type violation struct {
	ID    string `json:"id"`
	Help  string `json:"help"`
	Nodes []struct {
		Target  []any  `json:"target"`
		Summary string `json:"failureSummary"`
	} `json:"nodes"`
}

// accessible lets axe-core judge the page as it is.
func (b *browser) accessible(page, axe string) {
	b.t.Helper()
	found, err := evaluate[[]violation](b, axe+"\n;axe.run(document).then((r) => r.violations)", chromedp.EvalAwaitPromise)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, v := range found {
		for _, n := range v.Nodes {
			b.t.Errorf("%s: %s: %s: %v: %s", page, v.ID, v.Help, n.Target, strings.ReplaceAll(n.Summary, "\n", " "))
		}
	}
}
