package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/policy"
)

// classSecret is the class of what AWS answers as secret.
const classSecret = "secret"

// masked stands in the place of a hidden text.
const masked = "***"

// field is a classified part of an operation's answer.
type field struct {
	path    string // as it was written, or "header:" and a name
	steps   []step // empty for a header
	classes []string
}

// fields are the classified parts of answers, by "service:Operation".
type fields map[string][]field

// newFields reads classes, whose members are written "service:Operation:path".
func newFields(classes map[string][]string) (fields, error) {
	all := fields{}
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		for _, member := range classes[class] {
			parts := strings.SplitN(member, ":", 3)
			if len(parts) != 3 {
				return nil, fmt.Errorf("member %q of class %q: %w", member, class, errPath)
			}
			steps, err := classPath(parts[2])
			if err != nil {
				return nil, fmt.Errorf("member %q of class %q: %w", member, class, err)
			}
			key := parts[0] + ":" + parts[1]
			all[key] = append(all[key], field{parts[2], steps, []string{class}})
		}
	}
	return all, nil
}

// of lists the classified parts of a call's answer: those that AWS calls secret, and those of the account's own classes.
func (all fields) of(call awsmodel.Call) []field {
	own := all[call.Service+":"+call.Operation]
	list := make([]field, 0, len(call.Secrets)+len(own))
	for _, path := range call.Secrets {
		path = strings.TrimSuffix(path, "|base64")
		f := field{path: path, classes: []string{classSecret}}
		if !strings.HasPrefix(path, inHeader) {
			f.steps = modelPath(path)
		}
		list = append(list, f)
	}
	return append(list, own...)
}

const inHeader = "header:"

// hidden are the parts of the answer that policy does not let the principal see.
func (x *exchange) hidden() (hidden []field) {
	name := x.client.account.Policy.Name
	for _, f := range x.client.fields.of(x.call) {
		if x.flight.Reveal(name.AWSField(x.call.Service, x.call.Operation, f.path, f.classes...)).Kind != policy.MaskReveal {
			hidden = append(hidden, f)
		}
	}
	return hidden
}

// maskJSON replaces what the fields are. Every value there is hidden, whatever its type.
func maskJSON(body []byte, hidden []field) ([]byte, []string, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return body, nil, nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var root any
	if err := dec.Decode(&root); err != nil || dec.More() {
		return nil, nil, fmt.Errorf("%w: the answer is no JSON", errUnreachable)
	}
	var found []string
	for _, f := range hidden {
		hit := false
		root = hideAt(root, f.steps, &hit)
		if hit {
			found = append(found, f.path)
		}
	}
	out, err := json.Marshal(root)
	return out, found, err
}

// hideAt replaces what stands at a path below v.
func hideAt(v any, path []step, hit *bool) any {
	if v == nil {
		return nil
	}
	if len(path) == 0 {
		*hit = true
		return hideAll(v)
	}
	at, rest := path[0], path[1:]
	switch t := v.(type) {
	case []any:
		if at.each {
			for i := range t {
				t[i] = hideAt(t[i], rest, hit)
			}
		}
	case map[string]any:
		if inner, ok := t[at.name]; ok && !at.each {
			t[at.name] = hideAt(inner, rest, hit)
		}
		for k := range t {
			if at.each {
				t[k] = hideAt(t[k], rest, hit)
			}
		}
	}
	return v
}

// hideAll replaces every value within v. Numbers become 0 and booleans false, since clients read them as such.
func hideAll(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k := range t {
			t[k] = hideAll(t[k])
		}
		return t
	case []any:
		for i := range t {
			t[i] = hideAll(t[i])
		}
		return t
	case json.Number:
		return json.Number("0")
	case bool:
		return false
	case nil:
		return nil
	}
	return masked
}
