package kubeapi

import (
	"fmt"
	"slices"
)

// maxOperations is how many operations the API server takes in one JSON patch: maxJSONPatchOperations in
// k8s.io/apiserver/pkg/endpoints/handlers/patch.go.
const maxOperations = 10_000

// operation is one of a JSON patch (RFC 6902).
type operation struct {
	op             string
	path           []string
	pointer, moved string // path and from as written
	value          any
}

func (b *Body) readOperations(r Request, doc any) error {
	all, ok := doc.([]any)
	if !ok {
		return badBody("no list of operations")
	}
	if len(all) > maxOperations {
		return badBody(fmt.Sprintf("over %d operations", maxOperations))
	}
	w := newWalk(r, JSONPatch)
	for _, v := range all {
		op, err := readOperation(v)
		if err != nil {
			return err
		}
		if err := b.take(r, w, op); err != nil {
			return err
		}
	}
	b.Facts = w.facts()
	slices.Sort(b.Reads)
	b.Reads = slices.Compact(b.Reads)
	return nil
}

func readOperation(v any) (operation, error) {
	o, ok := v.(map[string]any)
	if !ok {
		return operation{}, badBody("an operation that is no object")
	}
	for key := range o {
		if key != "op" && key != "path" && key != "from" && key != "value" {
			return operation{}, badBody("an operation with a key other than op, path, from and value")
		}
	}
	op, _ := o["op"].(string)
	path, hasPath := o["path"].(string)
	from, hasFrom := o["from"].(string)
	value, hasValue := o["value"]
	if !slices.Contains([]string{"add", "remove", "replace", "move", "copy", "test"}, op) || !hasPath {
		return operation{}, badBody("an operation without a known op and a path")
	}
	moves := op == "move" || op == "copy"
	if moves != hasFrom || moves != (o["from"] != nil) || hasValue != (op == "add" || op == "replace" || op == "test") {
		return operation{}, badBody("an operation " + op + " with too much or too little")
	}
	out := operation{op: op, pointer: path, moved: from, value: value}
	var err error
	if out.path, err = readPointer(path); err != nil {
		return operation{}, err
	}
	_, err = readPointer(from)
	return out, err
}

// take adds what one operation does.
func (b *Body) take(r Request, w *walk, op operation) error {
	keys := context(op.path)
	switch op.op {
	case "test":
		b.Reads = append(b.Reads, op.pointer)
	case "move", "copy":
		b.Reads = append(b.Reads, op.moved)
		w.opaque = true
	case "remove":
		w.remove(keys)
	default:
		w.replaced(keys, op.value)
		w.value(keys, op.value)
		return b.readSet(r, op)
	}
	return nil
}

// readSet reads what an add or replace says of the object's own name and labels.
func (b *Body) readSet(r Request, op operation) error {
	o := map[string]any{}
	at := o
	for i, token := range op.path {
		if i == len(op.path)-1 {
			at[token] = op.value
			break
		}
		next := map[string]any{}
		at[token], at = next, next
	}
	if len(op.path) == 0 {
		whole, ok := op.value.(map[string]any)
		if !ok {
			return badBody("a document that is no object")
		}
		o = whole
	} else if first := op.path[0]; first != "kind" && first != "apiVersion" && first != "metadata" {
		return exactKeys(o, "kind", "apiVersion", "metadata")
	}
	return b.merge(r, o)
}

// merge reads the metadata of a piece of an object without forgetting what pieces before it said.
func (b *Body) merge(r Request, o map[string]any) error {
	piece := Body{Labels: b.Labels}
	if err := piece.readMeta(r, o); err != nil {
		return err
	}
	b.Labels = piece.Labels
	for _, f := range []struct{ to, from *string }{
		{&b.Kind, &piece.Kind}, {&b.APIVersion, &piece.APIVersion}, {&b.Name, &piece.Name},
		{&b.Namespace, &piece.Namespace}, {&b.GenerateName, &piece.GenerateName},
	} {
		if *f.from != "" {
			*f.to = *f.from
		}
	}
	return nil
}
