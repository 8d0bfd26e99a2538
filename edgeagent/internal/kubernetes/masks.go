package kubernetes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/kubeapi"
	"github.com/writhq/writ/pkg/kubemask"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
)

// classSecret is the class of what Secrets hold, in every cluster.
const classSecret = "secret"

var secretFields = []string{"secrets:data.*", "secrets:stringData.*"}

// kind is one sort of object, as paths of the API name it.
type kind struct{ group, resource string }

// field is a classified field.
type field struct {
	path    kubemask.Path
	classes []string
}

// masks are the classified fields of a cluster with the maskers made for them.
type masks struct {
	fields  map[kind][]field
	maskers map[kind]*kubemask.Masker
}

func newMasks(r *Resource, key mask.Key) (*masks, error) {
	m := &masks{fields: map[kind][]field{}, maskers: map[kind]*kubemask.Masker{}}
	byClass := maps.Clone(r.Classes)
	if byClass == nil {
		byClass = map[string][]string{}
	}
	byClass[classSecret] = append(slices.Clone(byClass[classSecret]), secretFields...)
	configured := map[kind]bool{}
	for _, class := range slices.Sorted(maps.Keys(byClass)) {
		for _, text := range byClass[class] {
			k, err := m.add(class, text)
			if err != nil {
				return nil, err
			}
			configured[k] = configured[k] || !slices.Contains(secretFields, text)
		}
	}
	for k, fields := range m.fields {
		masker, err := kubemask.New(kubemask.Config{
			Group: k.group, Resource: k.resource, Fields: pathsOf(fields), Others: m.others(k), Cells: configured[k], QuietErrors: true, Key: key,
		})
		if err != nil {
			return nil, err
		}
		m.maskers[k] = masker
	}
	return m, nil
}

// others are the Secrets, which a List may hold beside what was asked for.
func (m *masks) others(k kind) []kubemask.Kind {
	secrets := kind{resource: "secrets"}
	if k == secrets {
		return nil
	}
	return []kubemask.Kind{{Kind: "Secret", Resource: "secrets", Fields: pathsOf(m.fields[secrets])}}
}

func pathsOf(fields []field) []kubemask.Path {
	paths := make([]kubemask.Path, len(fields))
	for i, f := range fields {
		paths[i] = f.path
	}
	return paths
}

// add reads "group/resource:path" and gives the field one more class.
func (m *masks) add(class, text string) (kind, error) {
	name, path, ok := strings.Cut(text, ":")
	if !ok || name == "" {
		return kind{}, fmt.Errorf("field %q of class %q is not of the form group/resource:path", text, class)
	}
	k := kind{resource: name}
	if group, resource, grouped := strings.Cut(name, "/"); grouped {
		k = kind{group, resource}
	}
	parsed, err := kubemask.ParsePath(path)
	if err != nil {
		return kind{}, fmt.Errorf("field %q of class %q: %w", text, class, err)
	}
	for i, f := range m.fields[k] {
		if f.path.String() == parsed.String() {
			if !slices.Contains(f.classes, class) {
				m.fields[k][i].classes = append(f.classes, class)
			}
			return k, nil
		}
	}
	m.fields[k] = append(m.fields[k], field{path: parsed, classes: []string{class}})
	return k, nil
}

// maxRevealed bounds the objects whose choices one request remembers.
const maxRevealed = 10_000

// reveal asks policy how one field is shown.
type reveal func(policy.Entity) policy.Masking

// masking returns what masks the answer to a request, nil where nothing of what is asked for has a class.
func (c *cluster) masking(s *enforce.Session, ask reveal, r kubeapi.Request) *kubemask.Masker {
	masker := c.masks.maskers[kind{r.Group, r.Resource}]
	if masker == nil || !r.IsResource {
		return nil
	}
	known, revision := map[kubemask.Object][]kubemask.Choice{}, s.Revision()
	return masker.With(func(o kubemask.Object) []kubemask.Choice {
		if now := s.Revision(); now != revision || len(known) >= maxRevealed {
			clear(known)
			revision = now
		}
		choices, ok := known[o]
		if !ok {
			choices = c.masks.choose(ask, c.res.Policy.Name, o)
			known[o] = choices
		}
		return choices
	})
}

// hideAll masks every classified field, whoever asks.
func (c *cluster) hideAll(r kubeapi.Request) *kubemask.Masker {
	masker := c.masks.maskers[kind{r.Group, r.Resource}]
	if masker == nil || !r.IsResource {
		return nil
	}
	return masker.With(func(kubemask.Object) []kubemask.Choice { return nil })
}

// choose asks policy how the fields of an object are shown.
func (m *masks) choose(ask reveal, name policy.ResourceName, o kubemask.Object) []kubemask.Choice {
	fields := m.fields[kind{o.Group, o.Resource}]
	choices := make([]kubemask.Choice, len(fields))
	known := o.Name != "" // a row of a table may not say whose it is
	info := policy.ObjectInfo{
		Group: o.Group, Resource: o.Resource, Namespace: o.Namespace, AllNamespaces: !known, Name: o.Name, NameKnown: known,
	}
	for i, field := range fields {
		shown := ask(name.Field(info, field.path.String(), field.classes...))
		choices[i] = kubemask.Choice{Reveal: shown.Kind == policy.MaskReveal, Rule: enforce.MaskRule(shown.Mask), Class: field.classes[0]}
	}
	return choices
}
