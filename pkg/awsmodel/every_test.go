package awsmodel

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// figures counts the outcomes of every operation in every protocol of its service.
type figures struct {
	total, exact, sibling, events int
	other                         map[string][]string
}

// Every operation of every service is made from the model by the serialization rules and identified, with only what is
// required and with everything, by credential scope alone and by host. Its members are read back.
func TestEveryOperation(t *testing.T) {
	m := model(t)
	for _, mode := range []struct {
		name           string
		host, required bool
	}{{"scope, required", false, true}, {"scope, all", false, false}, {"host, required", true, true}, {"host, all", true, false}} {
		t.Run(mode.name, func(t *testing.T) {
			f := figures{other: map[string][]string{}}
			for _, s := range m.services {
				a, err := s.unpack()
				if err != nil {
					t.Fatal(err)
				}
				for _, op := range a.Operations {
					for _, p := range a.Protocols {
						f.one(t, m, a.Service, op, p, mode.host, mode.required)
					}
				}
			}
			t.Logf("%d requests: exact %d, as a sibling of the same API %d, event streams refused %d, others %d", f.total, f.exact, f.sibling, f.events, f.total-f.exact-f.sibling-f.events)
			for _, why := range slices.Sorted(maps.Keys(f.other)) {
				ops := f.other[why]
				t.Logf("%4d %s: %s", len(ops), why, strings.Join(ops[:min(len(ops), 12)], " "))
			}
		})
	}
}

func (f *figures) one(t *testing.T, m *Model, s modelfile.Service, op modelfile.Operation, p Protocol, byHost, required bool) {
	g := &maker{s: s, required: required}
	r, want := g.request(op, p)
	if byHost {
		r.Host = hostOf(s, op, want)
		r.Path = s.Base + r.Path
	}
	f.total++
	name := s.ID + ":" + op.Name
	c, err := m.Identify(r)
	switch {
	case c.InputEvents && errors.Is(err, ErrUnsupported):
		f.events++
		return
	case err != nil:
		f.other[err.Error()] = append(f.other[err.Error()], name)
		return
	case c.Service == s.ID && c.Operation == op.Name:
		f.exact++
	case slices.Contains(c.Siblings, s.ID) && c.Operation == op.Name:
		f.sibling++
		return
	default:
		f.other["taken for another"] = append(f.other["taken for another"], name+"="+c.Service+":"+c.Operation)
		return
	}
	got, err := m.Members(c, r.Body)
	if err != nil || len(got.Unknown) > 0 {
		t.Errorf("%s: %v, unknown %v", name, err, got.Unknown)
		return
	}
	if d := equal(without(want, s, op), got.Value); d != "" {
		t.Errorf("%s: %s", name, d)
	}
}

// without takes away what Members does not read: a blob that streams.
func without(v Value, s modelfile.Service, op modelfile.Operation) Value {
	if op.Flags&modelfile.InputBlob == 0 || op.Input == 0 {
		return v
	}
	v.Fields = slices.DeleteFunc(slices.Clone(v.Fields), func(f Field) bool {
		return memberOf(s.Shapes[op.Input-1], f.Name).At == modelfile.InPayload
	})
	return v
}

func hostOf(s modelfile.Service, op modelfile.Operation, v Value) string {
	if len(s.Hosts) == 0 {
		return ""
	}
	host := s.Hosts[0]
	for _, h := range s.Hosts {
		if h == s.EndpointPrefix+".{Region}.{Suffix}" {
			host = h
		}
	}
	prefix := op.HostPrefix
	for _, f := range v.Fields {
		prefix = strings.ReplaceAll(prefix, "{"+f.Name+"}", f.Value.Text)
	}
	return prefix + strings.NewReplacer("{Region}", "us-east-1", "{Suffix}", "amazonaws.com", "{AccountId}", "123456789012").Replace(host)
}
