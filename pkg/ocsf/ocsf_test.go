package ocsf_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/pkg/auditexport"
	"github.com/writhq/writ/pkg/ocsf"
)

// object is what the schema says of a class or an object: attributes that are required, those of which one is, and the classes of objects below.
// Source: the schema's own JSON (events, objects and includes), version 1.3.0.
type object struct {
	required, oneOf []string
	known           []string // further attributes that may be there
	below           map[string]string
}

var base = []string{"activity_id", "category_uid", "class_uid", "type_uid", "time", "severity_id", "metadata"}

var baseKnown = []string{
	"activity_name", "category_name", "class_name", "type_name", "severity", "duration", "message", "status", "status_id", "status_code", "status_detail", "unmapped",
}

var schema = map[string]object{
	"3002": {required: append([]string{"user"}, base...), oneOf: []string{"service", "dst_endpoint"}, known: append([]string{"actor", "src_endpoint", "session", "is_remote"}, baseKnown...),
		below: map[string]string{"user": "user", "service": "service", "dst_endpoint": "network_endpoint", "src_endpoint": "network_endpoint", "actor": "actor", "metadata": "metadata", "session": "session"}},
	"6003": {required: append([]string{"actor", "api", "src_endpoint"}, base...), known: append([]string{"dst_endpoint", "resources"}, baseKnown...),
		below: map[string]string{"api": "api", "dst_endpoint": "network_endpoint", "src_endpoint": "network_endpoint", "actor": "actor", "metadata": "metadata", "resources": "resource_details"}},
	"6005": {required: append([]string{"actor", "src_endpoint"}, base...), oneOf: []string{"database", "databucket", "table"}, known: append([]string{"dst_endpoint", "query_info"}, baseKnown...),
		below: map[string]string{"dst_endpoint": "network_endpoint", "src_endpoint": "network_endpoint", "actor": "actor", "metadata": "metadata", "database": "database", "table": "table", "query_info": "query_info"}},
	"metadata": {required: []string{"version", "product"}, known: []string{"uid", "correlation_uid", "sequence", "log_name", "log_provider", "original_time"},
		below: map[string]string{"product": "product"}},
	"product": {required: []string{"name", "vendor_name"}},
	"actor": {oneOf: []string{"process", "user", "invoked_by", "session", "app_name", "app_uid"},
		below: map[string]string{"user": "user", "session": "session"}},
	"user":             {oneOf: []string{"account", "name", "uid"}, known: []string{"type", "type_id"}},
	"session":          {known: []string{"uid", "issuer"}},
	"service":          {oneOf: []string{"name", "uid"}},
	"network_endpoint": {oneOf: []string{"ip", "uid", "name", "hostname", "svc_name", "instance_uid", "interface_uid", "interface_name"}, known: []string{"port"}},
	"api":              {required: []string{"operation"}, known: []string{"service"}, below: map[string]string{"service": "service"}},
	"resource_details": {oneOf: []string{"name", "uid"}},
	"database":         {required: []string{"type_id"}, oneOf: []string{"name", "uid"}, known: []string{"type"}},
	"table":            {oneOf: []string{"name", "uid"}},
	"query_info":       {required: []string{"query_string"}, known: []string{"bytes", "uid"}},
}

// check holds a value to what the schema says of it.
func check(t *testing.T, where, name string, v map[string]any) {
	t.Helper()
	is, ok := schema[name]
	if !ok {
		t.Fatalf("%s: no %s in the schema", where, name)
	}
	for _, a := range is.required {
		if value, ok := v[a]; !ok || value == "" || value == nil {
			t.Errorf("%s: %s is required", where, a)
		}
	}
	if len(is.oneOf) > 0 && !slices.ContainsFunc(is.oneOf, func(a string) bool { return v[a] != nil && v[a] != "" }) {
		t.Errorf("%s: one of %v is required", where, is.oneOf)
	}
	for a, value := range v {
		if !slices.Contains(slices.Concat(is.required, is.oneOf, is.known), a) {
			t.Errorf("%s: the schema has no %s", where, a)
		}
		switch value := value.(type) {
		case map[string]any:
			if a != "unmapped" {
				check(t, where+"."+a, is.below[a], value)
			}
		case []any:
			for _, item := range value {
				check(t, where+"."+a, is.below[a], item.(map[string]any))
			}
		}
	}
}

func fieldsOf(t *testing.T, row auditexport.Row) map[string]any {
	t.Helper()
	var out bytes.Buffer
	w := ocsf.NewLines(&out)
	if err := w.Write(row); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(out.Bytes(), &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// activities are the numbers that a class has.
var activities = map[float64][]float64{3002: {0, 1, 2, 3, 4, 5, 6, 7, 99}, 6003: {0, 1, 2, 3, 4, 99}, 6005: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99}}

// Every kind of record, with as little in it as there may be and with everything, is an event that the schema knows.
func TestEveryKindKeepsToTheSchema(t *testing.T) {
	full := auditexport.Row{}
	for i, v := 0, reflect.ValueOf(&full).Elem(); i < v.NumField(); i++ {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int64:
			f.SetInt(5e6)
		case reflect.Uint64:
			f.SetUint(7)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"y"}))
		case reflect.Bool:
			f.SetBool(true)
		}
	}
	classes := map[float64]int{}
	for k := audit.KindSessionOpen; k <= audit.KindStream; k++ {
		for _, protocol := range []string{"", "postgres", "mysql", "kubernetes", "aws"} {
			for name, row := range map[string]auditexport.Row{"empty": {}, "full": full} {
				row.ID, row.Time, row.Kind, row.Protocol = "01", "2026-11-23T14:00:01.234567Z", k.String(), protocol
				e := fieldsOf(t, row)
				class := e["class_uid"].(float64)
				classes[class]++
				where := fmt.Sprint(name, " ", k, " ", protocol)
				check(t, where, fmt.Sprint(class), e)
				if e["type_uid"] != class*100+e["activity_id"].(float64) || !slices.Contains(activities[class], e["activity_id"].(float64)) ||
					e["category_uid"] != float64(int(class)/1000) || e["time"] != float64(1795442401234) {
					t.Errorf("%s: %v", where, e)
				}
			}
		}
	}
	if len(classes) != 3 {
		t.Errorf("classes %v", slices.Collect(maps.Keys(classes)))
	}
}

func TestWhatBecomesOfRecords(t *testing.T) {
	at := "2026-11-23T14:00:01.234567Z"
	for _, tc := range []struct {
		name string
		row  auditexport.Row
		want map[string]any
	}{
		{"select", auditexport.Row{Kind: "outcome", Protocol: "postgres", Resource: "orders-db", Actions: []string{"sql:select"}, Statement: "SELECT 1"},
			map[string]any{"type_uid": 600504.0, "status_id": 1.0, "severity_id": 1.0}},
		{"drop", auditexport.Row{Kind: "refusal", Decision: "deny", Protocol: "postgres", Resource: "orders-db", Actions: []string{"sql:select", "sql:drop"}, Reason: "no"},
			map[string]any{"type_uid": 600507.0, "status_id": 2.0, "severity_id": 3.0, "status_detail": "no"}},
		{"held", auditexport.Row{Kind: "hold", Decision: "hold", Protocol: "postgres", Resource: "orders-db", Actions: []string{"sql:delete"}},
			map[string]any{"type_uid": 600507.0, "status_id": 99.0, "severity_id": 2.0}},
		{"aws", auditexport.Row{Kind: "outcome", Protocol: "aws", Resource: "prod", Actions: []string{"aws:write"}, Statement: "s3:DeleteObject\nbucket", ErrorCode: "AccessDenied"},
			map[string]any{"type_uid": 600304.0, "status_id": 2.0, "status_code": "AccessDenied"}},
		{"call", auditexport.Row{Kind: "admin", Principal: "dana", Attributes: `[{"name":"method","value":"/access.v1.PolicyService/ListRevisions"}]`},
			map[string]any{"type_uid": 600302.0, "status_id": 1.0}},
		{"open", auditexport.Row{Kind: "session_open", Principal: "ada", Resource: "orders-db", Session: "ses-1"}, map[string]any{"type_uid": 300201.0}},
		{"close", auditexport.Row{Kind: "session_close", Principal: "ada", Resource: "orders-db", Session: "ses-1"}, map[string]any{"type_uid": 300202.0}},
		{"failed login", auditexport.Row{Kind: "login", Decision: "deny"}, map[string]any{"type_uid": 300201.0, "status_id": 2.0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.row.ID, tc.row.Time = "01", at
			e := fieldsOf(t, tc.row)
			for name, want := range tc.want {
				if e[name] != want {
					t.Errorf("%s is %v, want %v", name, e[name], want)
				}
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	for addr, want := range map[string]ocsf.Endpoint{
		"10.0.0.1:5": {IP: "10.0.0.1", Port: 5}, "[::ffff:10.0.0.1]:5": {IP: "10.0.0.1", Port: 5}, "::1": {IP: "::1"}, "unix": {Name: "unix"}, "": {Name: "edge-a"},
	} {
		e, err := ocsf.Of(auditexport.Row{ID: "01", Time: "2026-11-23T14:00:01.234567Z", Kind: "command", ClientAddr: addr, RecordedBy: "edge-a"})
		if err != nil || *e.Source != want {
			t.Errorf("%s: %v, %+v", addr, err, e.Source)
		}
	}
	if _, err := ocsf.Of(auditexport.Row{Kind: "damage"}); !errors.Is(err, auditexport.ErrRecord) {
		t.Errorf("%v", err)
	}
}

// Nothing that a row says is lost on the way.
func TestEveryColumnIsSomewhere(t *testing.T) {
	row := auditexport.Row{ID: "value-id", Time: "2026-11-23T14:00:01.234567Z", Kind: "command"}
	v := reflect.ValueOf(&row).Elem()
	for i, c := range auditexport.Columns() {
		switch f := v.Field(i); {
		case c.Name == "id" || c.Name == "time" || c.Name == "kind" || c.Name == "principal_kind":
		case c.Type == auditexport.Text:
			f.SetString("value-" + c.Name)
		case c.Type == auditexport.Texts:
			f.Set(reflect.ValueOf([]string{"value-" + c.Name}))
		}
	}
	raw, err := json.Marshal(fieldsOf(t, row))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range auditexport.Columns() {
		if (c.Type == auditexport.Text || c.Type == auditexport.Texts) && c.Name != "time" && c.Name != "kind" && c.Name != "principal_kind" &&
			!strings.Contains(string(raw), "value-"+c.Name) {
			t.Errorf("%s is nowhere in %s", c.Name, raw)
		}
	}
}
