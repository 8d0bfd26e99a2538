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
			f.explain(t, mode.host)
		})
	}
}

// notExact are the operations that are not identified as themselves, with the reason. All but the first four are only so
// by credential scope alone: their hosts tell them apart.
var notExact = map[string]string{
	"s3:GetBucketLifecycle":    "the older name of GetBucketLifecycleConfiguration, as which it is identified: the same request",
	"s3:PutBucketLifecycle":    "the older name of PutBucketLifecycleConfiguration, as which it is identified: the same request",
	"s3:GetBucketNotification": "the older name of GetBucketNotificationConfiguration, as which it is identified: the same request",
	"s3:PutBucketNotification": "the older name of PutBucketNotificationConfiguration, as which it is identified: the same request",

	"bedrock-agent-runtime:InvokeInlineAgent": "the same method and path as bedrock-agent:PrepareAgent",
	"lex-models:GetImport":                    "the same method and path as lexv2-models:DescribeImport",
	"lex-models:StartImport":                  "the same method and path as lexv2-models:ListImports",
	"lexv2-models:ListImports":                "the same method and path as lex-models:StartImport",
	"s3control:CreateBucket":                  "of S3 on Outposts: without an account it is a PutObject of s3",
	"signer:GetRevocationStatus":              "the same method and path as signer-data:GetRevocationStatus, on another host",
	"signer-data:GetRevocationStatus":         "the same method and path as signer:GetRevocationStatus, on another host",
}

// explain prints why what is not exact is not, and fails for what has no reason.
func (f *figures) explain(t *testing.T, byHost bool) {
	for _, what := range slices.Sorted(maps.Keys(f.other)) {
		for _, op := range f.other[what] {
			op, _, _ := strings.Cut(op, "=")
			why, known := notExact[op]
			if !known || byHost && !strings.HasPrefix(op, "s3:") {
				t.Errorf("%s: %s", op, what)
				continue
			}
			t.Logf("not exact: %s: %s", op, why)
		}
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
