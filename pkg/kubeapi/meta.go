package kubeapi

import (
	"strings"
)

// readMeta reads what an object calls itself, and holds it to the path.
func (b *Body) readMeta(r Request, o map[string]any) error {
	if err := exactKeys(o, "kind", "apiVersion", "metadata"); err != nil {
		return err
	}
	var err error
	if b.Kind, err = textOf(o, "kind"); err != nil {
		return err
	}
	if b.APIVersion, err = textOf(o, "apiVersion"); err != nil {
		return err
	}
	switch meta := o["metadata"].(type) {
	case nil:
		return nil
	case map[string]any:
		return b.readMetadata(r, meta)
	}
	return badBody("metadata is no object")
}

func (b *Body) readMetadata(r Request, meta map[string]any) error {
	err := exactKeys(meta, "name", "namespace", "generateName", "labels", "resourceVersion")
	if err != nil {
		return err
	}
	if b.Name, err = textOf(meta, "name"); err != nil {
		return err
	}
	if b.Namespace, err = textOf(meta, "namespace"); err != nil {
		return err
	}
	if b.GenerateName, err = textOf(meta, "generateName"); err != nil {
		return err
	}
	if b.ResourceVersion, err = textOf(meta, "resourceVersion"); err != nil {
		return err
	}
	if err := b.readLabels(meta["labels"]); err != nil {
		return err
	}
	return b.agree(r)
}

// agree refuses a name or namespace other than the path's.
func (b *Body) agree(r Request) error {
	if b.Namespace != "" && b.Namespace != r.Namespace {
		return refuse(ErrBody, "body metadata.namespace", "not the path's", "give the same, or none")
	}
	if b.Name != "" && r.Name != "" && b.Name != r.Name {
		return refuse(ErrBody, "body metadata.name", "not the path's", "give the same, or none")
	}
	if b.Name == "" {
		return nil
	}
	return checkObjectName(b.Name)
}

func checkObjectName(name string) error {
	bad := len(name) > MaxName || name == "." || name == ".."
	for i := 0; i < len(name); i++ {
		bad = bad || badByte(name[i]) != ""
	}
	if bad || strings.TrimSpace(name) != name {
		return refuse(ErrBody, "body metadata.name", "no name of an object", "")
	}
	return nil
}

func (b *Body) readLabels(v any) error {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		for name, value := range v {
			if value == nil { // a patch takes it away
				continue
			}
			s, ok := value.(string)
			if !ok {
				return badBody("a label that is no text")
			}
			b.label(name, s)
		}
		return nil
	}
	return badBody("metadata.labels is no object")
}

func (b *Body) label(name, value string) {
	if b.Labels == nil {
		b.Labels = map[string]string{}
	}
	b.Labels[name] = value
}

// exactKeys refuses keys that differ from those given only in case: some programs take them for the same.
func exactKeys(o map[string]any, keys ...string) error {
	for have := range o {
		for _, want := range keys {
			if have != want && fold(have) == fold(want) {
				return refuse(ErrBody, "body", "the key "+want+" in another case", "write it as "+want)
			}
		}
	}
	return nil
}

func textOf(o map[string]any, key string) (string, error) {
	switch v := o[key].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	}
	return "", badBody(key + " is no text")
}

// fold brings keys that some JSON library takes for the same into one form: letters of any case, and the two characters
// outside ASCII whose other case is within.
func fold(key string) string {
	return strings.ReplaceAll(strings.ToLower(key), "\u017f", "s")
}
