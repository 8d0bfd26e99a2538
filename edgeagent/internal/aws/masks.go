package aws

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/writhq/writ/pkg/policy"
)

// classSecret is the class of what AWS answers as secret.
const classSecret = "secret"

// masked stands in the place of a hidden text.
const masked = "***"

// hiddenPaths are the parts of the answer that policy does not let the principal see.
func (x *exchange) hiddenPaths() (hidden []string) {
	name := x.client.account.Policy.Name
	for _, path := range x.call.Secrets {
		if x.flight.Reveal(name.AWSField(x.call.Service, x.call.Operation, path, classSecret)).Kind != policy.MaskReveal {
			hidden = append(hidden, path)
		}
	}
	return hidden
}

// maskJSON replaces what stands at the paths. Every value there is hidden, whatever its type.
func maskJSON(body []byte, paths []string) ([]byte, []string, error) {
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
	for _, path := range paths {
		hit := false
		root = hideAt(root, strings.Split(path, "."), &hit)
		if hit {
			found = append(found, path)
		}
	}
	out, err := json.Marshal(root)
	return out, found, err
}

// hideAt replaces what stands at a path below v: names, each with "[]" or "{}" behind it for all elements of a list or a map.
func hideAt(v any, path []string, hit *bool) any {
	if v == nil {
		return nil
	}
	if len(path) == 0 {
		*hit = true
		return hideAll(v)
	}
	name, rest := path[0], path[1:]
	base := strings.TrimRight(name, "[]{}")
	if base != "" {
		object, ok := v.(map[string]any)
		if !ok {
			return v
		}
		inner, ok := object[base]
		if ok {
			object[base] = hideEach(inner, name[len(base):], rest, hit)
		}
		return object
	}
	return hideEach(v, name, rest, hit)
}

// hideEach goes through the lists and maps that marks name, "[]" and "{}" one after another.
func hideEach(v any, marks string, rest []string, hit *bool) any {
	if len(marks) < 2 {
		return hideAt(v, rest, hit)
	}
	switch t := v.(type) {
	case []any:
		for i := range t {
			t[i] = hideEach(t[i], marks[2:], rest, hit)
		}
	case map[string]any:
		for k := range t {
			t[k] = hideEach(t[k], marks[2:], rest, hit)
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
