package awsmodel

import (
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// FuzzJSONAgainstTokens compares both decoders, by shapes of all kinds: what they make of a document, what they do not know of it, and whether
// they refuse it.
func FuzzJSONAgainstTokens(f *testing.F) {
	apis, shapes := jsonShapes(f)
	for n, s := range []string{
		`{"TableName":"t","Item":{"a":{"S":"b"},"n":{"N":"1"},"l":{"L":[{"B":"aGk="},{"NULL":true}]}}}`, `{"a":1,"a":2}`, `{"a":[1,{"b":null}]}`, ` null `, `{} x`, `[1,]`, `{"a":1,}`, `{,}`,
		`{"a" 1}`, `{"a":1 "b":2}`, `["a":1]`, `{"TableName":"\u0041\n","\u0054ableName":"b"}`, `{"a":-1.5e+3,"b":01}`, `{"Item":{"a":{"B":"?"}}}`, "{\"a\":\"\x00\"}", `{"a":{"b":{"c":[[[[]]]]}}}`, `{1:2}`, `{"a":}`,
		`{"TableName":1,"Item":[]}`, "\ufeff{}", `{"a":nul}`, `{"a":tru e}`, `"a"`, `1`, ``, `}`, `{"a":[}`, `{"a":[1 2]}`, strings.Repeat(`{"a":`, 70), strings.Repeat("[", 70), `{"x":"NaN","y":"-Infinity"}`,
		`{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"k":11,"k":12}`, `{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":10,"b":11}`,
	} {
		f.Add(0, s)
		f.Add(1+n%(len(shapes)-1), s)
	}
	f.Fuzz(func(t *testing.T, which int, s string) {
		if which < 0 || which >= len(shapes) {
			return
		}
		read := func(parse func(*decoder) (Value, error)) (Value, []string, error) {
			d := &decoder{api: apis[which], left: 50}
			v, err := parse(d)
			if err != nil {
				return Value{}, nil, err
			}
			return v, d.unknown, nil
		}
		got, unknown, err := read(func(d *decoder) (Value, error) { return d.parseJSON([]byte(s), shapes[which]) })
		want, wantUnknown, wantErr := read(func(d *decoder) (Value, error) { return d.parseJSONSlowly([]byte(s), shapes[which]) })
		if kindOf(err) != kindOf(wantErr) || !reflect.DeepEqual(got, want) || !reflect.DeepEqual(unknown, wantUnknown) {
			t.Errorf("%q by shape %d: %+v, %q, %v; by tokens %+v, %q, %v", s, shapes[which], got, unknown, err, want, wantUnknown, wantErr)
		}
	})
}

// jsonShapes are inputs that together have members of every kind, of services whose members go by both of their names.
func jsonShapes(f *testing.F) (apis []*api, shapes []int) {
	m := model(f)
	kinds := map[modelfile.Kind]bool{}
	for _, c := range []struct{ service, operation string }{
		{"dynamodb", "PutItem"}, {"dynamodb", "UpdateTable"}, {"bedrock-runtime", "Converse"}, {"lambda", "CreateFunction"}, {"kinesis", "PutRecord"}, {"glue", "CreateJob"}, {"frauddetector", "PutDetector"},
		{"logs", "PutLogEvents"}, {"cloudwatch", "PutMetricData"}, {"timestream-query", "Query"}, {"apigateway", "UpdateRestApi"}, {"sagemaker", "CreateModel"},
	} {
		s := m.byID[c.service]
		if s == nil {
			f.Fatalf("no service %s", c.service)
		}
		a, err := s.unpack()
		if err != nil {
			f.Fatal(err)
		}
		op := a.byName[c.operation]
		if op == nil || op.Input == 0 {
			f.Fatalf("no input of %s:%s", c.service, c.operation)
		}
		apis, shapes = append(apis, a), append(shapes, op.Input-1)
		reachable(a, op.Input-1, map[int]bool{}, kinds)
	}
	for k := modelfile.Structure; k <= modelfile.Document; k++ {
		if !kinds[k] {
			f.Errorf("no member of kind %d", k)
		}
	}
	return apis, shapes
}

func reachable(a *api, shape int, seen map[int]bool, kinds map[modelfile.Kind]bool) {
	if seen[shape] {
		return
	}
	seen[shape] = true
	sh := a.Shapes[shape]
	kinds[sh.Kind] = true
	for _, m := range sh.Members {
		reachable(a, m.Shape, seen, kinds)
	}
	if sh.Kind == modelfile.ListOf || sh.Kind == modelfile.MapOf {
		reachable(a, sh.Elem, seen, kinds)
	}
}

// Paths are for people: a long name over many values does not cost their product, in JSON and in CBOR.
func TestLongNameOverManyValues(t *testing.T) {
	m := model(t)
	name, items := strings.Repeat("n", 1<<20), strings.Repeat(`{"B":"aGk="},`, 5000)
	metrics := Request{Method: "POST", Path: "/service/GraniteServiceVersion20100801/operation/PutMetricData", Service: "monitoring", Header: header("Smithy-Protocol", "rpc-v2-cbor")}
	metrics.Body = body("\xa1\x7a\x00\x10\x00\x00" + name + "\x9f" + strings.Repeat("\xa1\x61a\x61b", 5000) + "\xff")
	for _, r := range []Request{jsonCall("dynamodb", putItem, `{"TableName":"t","Item":{"`+name+`":{"L":[`+items+`{"S":"x"}]}}}`), metrics} {
		c, err := m.Identify(r)
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := m.Members(c, r.Body); err != nil {
			t.Fatal(err)
		}
		if runtime.ReadMemStats(&after); after.TotalAlloc-before.TotalAlloc > 100<<20 {
			t.Errorf("%s: %d bytes allocated", c.Operation, after.TotalAlloc-before.TotalAlloc)
		}
	}
}
