package kubernetes

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/goccy/go-yaml"
	"github.com/rogpeppe/go-internal/diff"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/kubemask"
)

const (
	// maxPreview bounds an object that is previewed, and maxDiff what approvers are shown of a change, in bytes.
	maxPreview = 1 << 20
	maxDiff    = 32 << 10
	// maxNamed bounds the objects that are named of those that would be deleted.
	maxNamed = 20
)

// previewer returns how to find out what the request would do; nil where there is no way.
func (x *exchange) previewer() func(context.Context, *enforce.Command, enforce.Look) (enforce.Preview, bool) {
	if !x.r.IsResource || !x.r.Writes() || x.r.Streams() || x.r.Proxies() || x.b.DryRun {
		return nil
	}
	return func(ctx context.Context, c *enforce.Command, look enforce.Look) (enforce.Preview, bool) {
		p, err := x.preview(ctx, look)
		var d *enforce.Denied
		switch {
		case x.req.Context().Err() != nil:
			return enforce.Preview{}, true
		case errors.As(err, &d):
			p.Detail = "not previewed: " + d.Reason
		case err != nil:
			x.server.log.Debug("preview", "session", x.client.session.ID(), "error", err)
			p.Detail = "not previewed: the API server did not say"
		}
		return p, false
	}
}

// preview asks the API server: a dry run of the request beside the object as it is.
func (x *exchange) preview(ctx context.Context, look enforce.Look) (enforce.Preview, error) {
	if x.r.Verb == "deletecollection" {
		return x.previewCollection(ctx, look)
	}
	var before string
	if name := x.r.Name; name != "" {
		get := x.r
		get.Method, get.Verb, get.Query = http.MethodGet, "get", nil
		var err error
		if before, err = x.look(ctx, look, get, kubeapi.Body{}); err != nil && !errors.Is(err, errMissing) {
			return enforce.Preview{}, err
		}
	}
	if x.r.Verb == "delete" {
		return enforce.Preview{Diff: unified(before, ""), Detail: "the object as it is; what it owns goes with it"}, nil
	}
	dry := x.r
	dry.Query = cloned(x.r.Query)
	dry.Query.Set("dryRun", "All")
	dry.DryRun = true
	body := x.b
	body.DryRun = true
	after, err := x.look(ctx, look, dry, body)
	if err != nil {
		return enforce.Preview{}, err
	}
	return enforce.Preview{Diff: unified(before, after), Detail: "by a dry run (dryRun=All)"}, nil
}

func cloned(q url.Values) url.Values {
	out := url.Values{}
	for k, v := range q {
		out[k] = v
	}
	return out
}

var errMissing = errors.New("no such object")

// look sends a read or a dry run as the principal, where policy lets it, and returns the answer as YAML, masked.
func (x *exchange) look(ctx context.Context, look enforce.Look, r kubeapi.Request, b kubeapi.Body) (string, error) {
	answer, _, err := x.ask(ctx, look, r, b)
	if err != nil {
		return "", err
	}
	var object map[string]any
	if err := json.Unmarshal(answer, &object); err != nil {
		return "", fmt.Errorf("read preview: %w", err)
	}
	tidy(object)
	text, err := yaml.MarshalWithOptions(object, yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		return "", fmt.Errorf("write preview: %w", err)
	}
	return string(text), nil
}

// ask does the work of look, and returns JSON.
func (x *exchange) ask(ctx context.Context, look enforce.Look, r kubeapi.Request, b kubeapi.Body) (_ []byte, rep kubemask.Report, err error) {
	c := x.client.cluster
	flight, err := look(&enforce.Command{
		Subject: subjectOf(c.res.Policy.Name, r, b), Digest: digestOf(c.res.Name(), r, b), Rehearsal: b.DryRun,
		Text: &text{r: r, b: b, masker: c.hideAll(r), detector: c.detector},
	})
	if err != nil {
		return nil, rep, err
	}
	outcome := enforce.Outcome{Cut: "it was not answered"}
	defer func() { flight.End(outcome) }()
	peek := &exchange{server: x.server, client: x.client, w: x.w, req: x.req, r: r, b: b, flight: flight}
	resp, err := peek.roundTrip(ctx, http.Header{"Accept": {"application/json"}, "User-Agent": {"writ-edge"}})
	if err != nil {
		return nil, rep, err
	}
	defer resp.Body.Close()
	outcome = enforce.Outcome{Tag: resp.Status}
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return nil, rep, errMissing
	case resp.StatusCode >= 300:
		return nil, rep, fmt.Errorf("preview: the API server answered %s", resp.Status)
	}
	var out bytes.Buffer
	masker := c.masking(x.client.session, flight.Reveal, r)
	if masker == nil {
		_, err = io.Copy(&out, io.LimitReader(resp.Body, maxPreview))
	} else {
		rep, err = masker.Answer(&out, io.LimitReader(resp.Body, maxPreview))
	}
	outcome.Bytes, outcome.MaskedColumns = int64(out.Len()), rep.Fields()
	return out.Bytes(), rep, err
}

// tidy takes out what every write changes.
func tidy(object map[string]any) {
	meta, _ := object["metadata"].(map[string]any)
	for _, name := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
		delete(meta, name)
	}
	if notes, ok := meta["annotations"].(map[string]any); ok {
		delete(notes, "kubectl.kubernetes.io/last-applied-configuration")
	}
	delete(object, "status")
}

// unified is the change from one text to another, as diff -u writes it.
func unified(before, after string) string {
	if before == after {
		return ""
	}
	text := string(diff.Diff("before", []byte(before), "after", []byte(after)))
	if len(text) > maxDiff {
		text = text[:maxDiff] + "\n... (cut)\n"
	}
	return text
}

// previewCollection counts and names what a deletecollection would delete.
func (x *exchange) previewCollection(ctx context.Context, look enforce.Look) (enforce.Preview, error) {
	list := x.r
	list.Method, list.Verb, list.Query = http.MethodGet, "list", url.Values{}
	for _, name := range []string{"labelSelector", "fieldSelector"} {
		if v := x.r.Query.Get(name); v != "" {
			list.Query.Set(name, v)
		}
	}
	answer, _, err := x.ask(ctx, look, list, kubeapi.Body{})
	if err != nil {
		return enforce.Preview{}, err
	}
	var found struct {
		Items []struct {
			Metadata struct{ Namespace, Name string } `json:"metadata"`
		} `json:"items"`
	}
	if err := json.Unmarshal(answer, &found); err != nil {
		return enforce.Preview{}, fmt.Errorf("read preview: %w", err)
	}
	n := int64(len(found.Items))
	p := enforce.Preview{ExactRows: &n, Detail: "objects that it selects now"}
	var names bytes.Buffer
	for i, item := range found.Items {
		if i == maxNamed {
			fmt.Fprintf(&names, "and %d more\n", len(found.Items)-maxNamed)
			break
		}
		fmt.Fprintf(&names, "- %s/%s\n", item.Metadata.Namespace, item.Metadata.Name)
	}
	p.Diff = names.String()
	return p, nil
}
