package kubernetes

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/kubemask"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
)

// digestOf is SHA-256 over everything that says what a request does.
func digestOf(resource string, r kubeapi.Request, b kubeapi.Body) (digest [audit.HashSize]byte) {
	h := sha256.New()
	method := r.Method
	if r.Streams() {
		method = "" // GET over WebSocket and POST over SPDY are the same command, and clients try both
	}
	for _, part := range [][]byte{[]byte("writ kubernetes v1"), []byte(resource), []byte(method), []byte(r.URI()), []byte(b.ContentType), b.JSON} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	return [audit.HashSize]byte(h.Sum(nil))
}

// maxShown bounds how much of a body is recorded and shown to approvers, in bytes.
const maxShown = 256 << 10

// text renders a request for records and approvers. What is classified in a body is always hidden: who writes a Secret
// does not show it to approvers, nor to the record.
type text struct {
	r        kubeapi.Request
	b        kubeapi.Body
	masker   *kubemask.Masker // nil where nothing has a class
	detector *mask.Detector
}

// Recorded implements enforce.Text.
func (t *text) Recorded(bool) (string, []audit.Param) {
	if len(t.b.JSON) == 0 {
		return t.line(), nil
	}
	body, masked := t.body()
	return t.line(), []audit.Param{{Data: body, Masked: masked}}
}

// Shown implements enforce.Text.
func (t *text) Shown() (string, []string) {
	if len(t.b.JSON) == 0 {
		return t.line(), nil
	}
	body, _ := t.body()
	return t.line(), []string{strings.ToValidUTF8(string(body), "?")}
}

// line is the request as people read it: for an exec the command, for all else method and path.
func (t *text) line() string {
	line := t.r.Method + " " + t.r.URI()
	if e := t.r.Exec; e != nil {
		line = fmt.Sprintf("%s %s/%s", t.r.Subresource, t.r.Namespace, t.r.Name)
		if e.Container != "" {
			line += " -c " + e.Container
		}
		if len(e.Command) > 0 {
			line += " -- " + quoted(e.Command)
		}
	}
	if t.detector == nil {
		return line
	}
	return string(t.detector.Redact(nil, []byte(line)))
}

// quoted joins words so that they can be told apart.
func quoted(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = w
		if w == "" || strings.ContainsAny(w, " \t\n\"'\\$`|&;<>()") {
			out[i] = fmt.Sprintf("%q", w)
		}
	}
	return strings.Join(out, " ")
}

// body is the body without what has a class.
func (t *text) body() (body []byte, masked bool) {
	body = t.b.JSON
	if t.masker != nil || t.r.Proxies() || t.r.Resource == "serviceaccounts" && t.r.Subresource == "token" {
		var out bytes.Buffer
		if t.masker == nil || t.b.Patch == kubeapi.JSONPatch {
			return []byte(fmt.Sprintf("(%d bytes, not shown)", len(body))), true
		}
		rep, err := t.masker.Answer(&out, bytes.NewReader(body))
		if err != nil {
			return []byte(fmt.Sprintf("(%d bytes, not shown)", len(body))), true
		}
		body, masked = out.Bytes(), len(rep.Masked) > 0
	}
	if len(body) > maxShown {
		body = append(bytes.Clone(body[:maxShown]), fmt.Sprintf("... (%d bytes)", len(body))...)
	}
	return body, masked
}

// command makes what the pipeline decides.
func (x *exchange) command() *enforce.Command {
	c := x.client.cluster
	sub := x.client.subject(x.r, x.b)
	return &enforce.Command{
		Subject: sub, Digest: digestOf(c.res.Name(), x.r, x.b), Patience: x.server.cfg.Patience,
		Text: &text{r: x.r, b: x.b, masker: c.hideAll(x.r), detector: c.detector},
	}
}

// maxSubjects bounds the requests that a client is remembered for.
const maxSubjects = 512

// subject returns what a request does; a read that comes again is the same subject, so that its decision is remembered.
func (cl *client) subject(r kubeapi.Request, b kubeapi.Body) *enforce.Subject {
	name := cl.cluster.res.Policy.Name
	if r.Writes() || r.Streams() || r.Proxies() {
		return subjectOf(name, r, b)
	}
	key := fmt.Sprintf("%s %t %s %s", r.Verb, r.AllNamespaces, r.Path, r.Name)
	cl.mu.Lock()
	defer cl.mu.Unlock()
	if sub := cl.subjects[key]; sub != nil {
		return sub
	}
	if cl.subjects == nil || len(cl.subjects) >= maxSubjects {
		cl.subjects = make(map[string]*enforce.Subject)
	}
	sub := subjectOf(name, r, b)
	cl.subjects[key] = sub
	return sub
}

// laundering refuses a request that would tell a hidden value, or store what stands for one.
func (x *exchange) laundering(c *enforce.Command) *enforce.Denied {
	selected := x.r.SelectedFields()
	if x.b.JSON == nil && len(selected) == 0 || len(c.Subject.Asks[0].Questions) == 0 {
		return nil
	}
	session, facts := x.client.session, c.Subject.Asks[0].Facts
	masker := x.client.cluster.masking(session, func(e policy.Entity) policy.Masking { return session.Reveal(facts, e) }, x.r)
	if masker == nil {
		return nil
	}
	name := x.r.Name
	if name == "" {
		name = x.b.Name
	}
	object := kubemask.Object{Group: x.r.Group, Resource: x.r.Resource, Namespace: x.r.Namespace, Name: name}
	if field, bad := masker.ReadsMasked(selected, kubemask.Object{Group: x.r.Group, Resource: x.r.Resource}); bad {
		return &enforce.Denied{
			Cause: enforce.CauseMasked, Reason: "the selector chooses by " + orDefault(field, "a field") + ", which is masked for you",
			Next: "leave it out of the selector, or ask for a policy that lets you reveal it",
		}
	}
	if x.b.JSON == nil {
		return nil
	}
	if field, bad := masker.ReadsMasked(x.b.Reads, object); bad {
		return &enforce.Denied{
			Cause: enforce.CauseMasked, Reason: "the patch reads " + orDefault(field, "a field") + ", which is masked for you",
			Next: "leave test, copy and move of it out, or ask for a policy that lets you reveal it",
		}
	}
	if masker.HasPlaceholder(x.b.JSON) {
		return &enforce.Denied{
			Cause: enforce.CauseMasked, Reason: "the request would store *** where a value is masked for you",
			Next: "send a patch of what you want to change, without the masked fields",
		}
	}
	return nil
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// maxLine bounds how much is recorded of a request that is not understood, in bytes.
const maxLine = 2000

// unread renders a request that is not understood.
type unread struct {
	line     string
	detector *mask.Detector
}

// Recorded implements enforce.Text.
func (u *unread) Recorded(bool) (string, []audit.Param) {
	line := []byte(strings.ToValidUTF8(u.line, "?"))
	if u.detector != nil {
		line = u.detector.Redact(nil, line)
	}
	return string(line), nil
}

// Shown implements enforce.Text; what is not understood is shown to nobody.
func (u *unread) Shown() (string, []string) { return "", nil }
