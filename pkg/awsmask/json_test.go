package awsmask_test

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/mask"
)

func TestJSON(t *testing.T) {
	for _, c := range []struct{ operation, path, body, want string }{
		{"secretsmanager:GetSecretValue", "SecretString", `{"ARN": "a", "SecretString" : "hunter2\n", "Name":"x"}`, `{"ARN": "a", "SecretString" : "***", "Name":"x"}`},
		{"secretsmanager:GetSecretValue", "SecretBinary", `{"SecretBinary":"aHVudGVyMg=="}`, `{"SecretBinary":"Kioq"}`},
		{"secretsmanager:GetSecretValue", "CreatedDate", `{"CreatedDate":1.5e9}`, `{"CreatedDate":0}`},
		{"secretsmanager:GetSecretValue", "VersionStages[*]", `{"VersionStages":["a","b"]}`, `{"VersionStages":["***","***"]}`},
		{"secretsmanager:GetSecretValue", "SecretString", `{"SecretString":"a","SecretString":"b"}`, `{"SecretString":"***","SecretString":"***"}`},
		{"secretsmanager:GetSecretValue", "SecretString", `{"\u0053ecretString":"a"}`, `{"\u0053ecretString":"***"}`},
		{"secretsmanager:GetSecretValue", "SecretString", `{"SecretString":null}`, `{"SecretString":null}`},
		{"secretsmanager:GetSecretValue", "SecretString", `{"SecretString":{"a":"b","c":[1,true,null]}}`, `{"SecretString":{"a":"***","c":[0,false,null]}}`},
		{"secretsmanager:GetSecretValue", "SecretString", ``, ``},
		{"ssm:GetParameters", "Parameters[].Value", `{"Parameters":[{"Value":"a","Version":1},{}]}`, `{"Parameters":[{"Value":"***","Version":1},{}]}`},
		{"ssm:GetParameters", "Parameters[].Value", `{"Parameters":{"Value":"a"}}`, `{"Parameters":{"Value":"***"}}`},
		{"ssm:GetParameters", "Parameters[].Value", `{"Parameters":["a"]}`, `{"Parameters":["***"]}`},
		{"ssm:GetParameter", "Parameter.Value", `{"Parameter":[{"Value":"a"}]}`, `{"Parameter":[{"Value":"***"}]}`},
		{"ssm:GetParameter", "Parameter.LastModifiedDate", `{"Parameter":{"LastModifiedDate":"2026-01-02T03:04:05Z"}}`, `{"Parameter":{"LastModifiedDate":"1970-01-01T00:00:00Z"}}`},
		{"dynamodb:GetItem", "Item.email", `{"Item":{"email":{"S":"a@b"},"Age":{"N":"3"}}}`, `{"Item":{"email":{"S":"***"},"Age":{"N":"3"}}}`},
		{"dynamodb:GetItem", "Item.age", `{"Item":{"age":{"N":"33"},"x":{"NS":["1"]}}}`, `{"Item":{"age":{"N":"0"},"x":{"NS":["1"]}}}`},
		{"dynamodb:GetItem", "Item.*", `{"Item":{"a":{"NS":["1"]},"b":{"B":"aGk="},"c":{"M":{"d":{"BOOL":true}}}}}`, `{"Item":{"a":{"NS":["0"]},"b":{"B":"Kioq"},"c":{"M":{"d":{"BOOL":false}}}}}`},
		{"dynamodb:GetItem", `Item["a.b"].M.c`, `{"Item":{"a.b":{"M":{"c":{"S":"x"},"d":{"S":"y"}}}}}`, `{"Item":{"a.b":{"M":{"c":{"S":"***"},"d":{"S":"y"}}}}}`},
		{"dynamodb:Query", "Items[*].email", `{"Items":[{"email":{"S":"a"}},{"b":{"S":"c"}}],"LastEvaluatedKey":{"email":{"S":"a"}}}`, `{"Items":[{"email":{"S":"***"}},{"b":{"S":"c"}}],"LastEvaluatedKey":{"email":{"S":"a"}}}`},
		{"dynamodb:BatchGetItem", "Responses.*[*].email", `{"Responses":{"t":[{"email":{"S":"a"}}]}}`, `{"Responses":{"t":[{"email":{"S":"***"}}]}}`},
		{"dynamodb:BatchGetItem", "Responses.users[*].email", `{"Responses":{"t":[{"email":{"S":"a"}}],"users":[{"email":{"S":"a"}}]}}`, `{"Responses":{"t":[{"email":{"S":"a"}}],"users":[{"email":{"S":"***"}}]}}`},
		{"lambda:GetFunctionConfiguration", "Environment.Variables", `{"Environment":{"Variables":{"A":"b"}},"MemorySize":1}`, `{"Environment":{"Variables":{"A":"***"}},"MemorySize":1}`},
		{"lambda:GetFunctionConfiguration", "MemorySize", `{"MemorySize":-1.5E+3}`, `{"MemorySize":0}`},
		{"apigateway:GetApiKeys", "items[*].value", `{"item":[{"value":"x"}]}`, `{"item":[{"value":"***"}]}`},
	} {
		service, operation, _ := strings.Cut(c.operation, ":")
		got, masked, err := masker(t, service, operation, c.path).Document([]byte(c.body), false)
		if err != nil || string(got) != c.want {
			t.Errorf("%s of %s: %s, %v", c.path, c.body, got, err)
		}
		if changed := c.body != c.want; changed != (len(masked) == 1) || changed && masked[0] != c.path {
			t.Errorf("%s of %s: masked %q", c.path, c.body, masked)
		}
	}
}

// What two paths say of one value counts together: the stricter rule, and never less than one of them.
func TestFieldsTogether(t *testing.T) {
	c := call(t, "dynamodb", "GetItem")
	partial, redact := mask.Rule{Kind: mask.Partial, Keep: 2}, mask.Rule{Kind: mask.Redact}
	for i, fields := range [][]awsmask.Field{
		{{Path: "Item.*", Rule: partial}, {Path: "Item.email", Rule: redact}},
		{{Path: "Item.email", Rule: redact}, {Path: "Item.*", Rule: partial}},
		{{Path: "Item.email", Clear: true}, {Path: "Item.email", Rule: redact}, {Path: "Item.*", Rule: partial}},
		{{Path: "Item", Rule: partial}, {Path: "Item.email", Rule: redact}},
		{{Path: "Item.*", Rule: redact}, {Path: "Item.email", Rule: partial}},
		{{Path: "Item.email", Rule: partial}, {Path: "Item.*", Rule: redact}},
		{{Path: "Item", Rule: redact}, {Path: "Item.email", Rule: partial}},
		{{Path: "Item", Rule: redact}, {Path: "Item.email", Clear: true}},
	} {
		m, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Fields: fields})
		if err != nil {
			t.Fatal(err)
		}
		want := `{"Item":{"email":{"S":"***"},"other":{"S":"***ef"}}}`
		if i >= 4 {
			want = `{"Item":{"email":{"S":"***"},"other":{"S":"***"}}}`
		}
		got, _, err := m.Document([]byte(`{"Item":{"email":{"S":"abcdef"},"other":{"S":"abcdef"}}}`), false)
		if err != nil || string(got) != want {
			t.Errorf("%v: %s, %v", fields, got, err)
		}
	}
}

// Detectors look at customers' data and at nothing else.
func TestDetectors(t *testing.T) {
	for _, c := range []struct{ operation, body, want, found string }{
		{"dynamodb:GetItem", `{"Item":{"ada@example.com":{"S":"to ada@example.com \u0061da@example.com"}}}`, `{"Item":{"ada@example.com":{"S":"to *** ***"}}}`, "email"},
		{"dynamodb:GetItem", `{"Item":{"n":{"N":"4111111111111111"}}}`, `{"Item":{"n":{"N":"0"}}}`, "card"},
		{"dynamodb:GetItem", `{"Item":{"b":{"B":"YWRhQGV4YW1wbGUuY29tCg=="}}}`, `{"Item":{"b":{"B":"KioqCg=="}}}`, "email"},
		{"dynamodb:Query", `{"LastEvaluatedKey":{"k":{"S":"ada@example.com"}}}`, "", ""},
		{"dynamodb:DescribeTable", `{"Table":{"TableName":"ada@example.com"}}`, "", ""},
		{"rds-data:ExecuteStatement", `{"records":[[{"longValue":4111111111111111},{"stringValue":"ada@example.com"}]]}`, `{"records":[[{"longValue":0},{"stringValue":"***"}]]}`, "card email"},
		{"kinesis:GetRecords", `{"Records":[{"Data":"YWRhQGV4YW1wbGUuY29t","SequenceNumber":"4111111111111111"}],"NextShardIterator":"ada@example.com"}`, `{"Records":[{"Data":"Kioq","SequenceNumber":"4111111111111111"}],"NextShardIterator":"ada@example.com"}`, "email"},
		{"logs:GetLogEvents", `{"events":[{"message":"ada@example.com","timestamp":1700000000000}],"nextForwardToken":"f/4111111111111111"}`, `{"events":[{"message":"***","timestamp":1700000000000}],"nextForwardToken":"f/4111111111111111"}`, "email"},
		{"secretsmanager:ListSecrets", `{"SecretList":[{"ARN":"arn:aws:secretsmanager:eu-west-1:123456789012:secret:ada@example.com"}]}`, "", ""},
	} {
		service, operation, _ := strings.Cut(c.operation, ":")
		if c.want == "" {
			c.want = c.body
		}
		got, masked, err := looking(t, service, operation).Document([]byte(c.body), false)
		if err != nil || string(got) != c.want || strings.Join(masked, " ") != c.found {
			t.Errorf("%s of %s: %s, %q, %v", c.operation, c.body, got, masked, err)
		}
	}
}

// A class that policy reveals is not looked through.
func TestClear(t *testing.T) {
	c := call(t, "dynamodb", "GetItem")
	m, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Data: c.Data, Detector: detector(t), Fields: []awsmask.Field{{Path: "Item.email", Clear: true}}})
	if err != nil {
		t.Fatal(err)
	}
	got, masked, err := m.Document([]byte(`{"Item":{"email":{"S":"ada@example.com"},"note":{"S":"ada@example.com"}}}`), false)
	if want := `{"Item":{"email":{"S":"ada@example.com"},"note":{"S":"***"}}}`; err != nil || string(got) != want || !slices.Equal(masked, []string{"email"}) {
		t.Errorf("%s, %q, %v", got, masked, err)
	}
}

// Clients of SQS check what a message says of its body.
func TestMessageDigest(t *testing.T) {
	sum := func(s string) string {
		b := md5.Sum([]byte(s))
		return hex.EncodeToString(b[:])
	}
	for _, form := range []string{`{"Messages":[{"MD5OfBody":"%M","Body":"%B"}]}`, `{"Messages":[{"Body":"%B","MD5OfBody":"%M","ReceiptHandle":"x"},{"Body":"plain","MD5OfBody":"kept"}]}`} {
		fill := func(body string) string {
			return strings.NewReplacer("%M", sum(body), "%B", body).Replace(form)
		}
		got, _, err := looking(t, "sqs", "ReceiveMessage").Document([]byte(fill("mail ada@example.com!")), false)
		if want := fill("mail ***!"); err != nil || string(got) != want {
			t.Errorf("%s, want %s, %v", got, want, err)
		}
	}
}

// Errors can hold what was asked for.
func TestErrors(t *testing.T) {
	for operation, c := range map[string]struct{ body, want string }{
		"PutItem": {
			`{"__type":"com.amazonaws.dynamodb#ConditionalCheckFailedException","message":"no ada@example.com","Item":{"email":{"S":"x"},"note":{"S":"ada@example.com"}}}`,
			`{"__type":"com.amazonaws.dynamodb#ConditionalCheckFailedException","message":"no ada@example.com","Item":{"email":{"S":"***"},"note":{"S":"***"}}}`,
		},
		"TransactWriteItems": {
			`{"__type":"TransactionCanceledException","CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Item":{"email":{"S":"x"},"a":{"N":"1"}}}]}`,
			`{"__type":"TransactionCanceledException","CancellationReasons":[{"Code":"None"},{"Code":"ConditionalCheckFailed","Item":{"email":{"S":"***"},"a":{"N":"1"}}}]}`,
		},
	} {
		call := call(t, "dynamodb", operation)
		path := map[string]string{"PutItem": "Item.email", "TransactWriteItems": "CancellationReasons[*].Item.email"}[operation]
		m, err := awsmask.New(awsmask.Config{Answer: call.Answer(), Fields: redact(path), Data: call.Data, Detector: detector(t)})
		if err != nil {
			t.Fatal(err)
		}
		if m.Idle(true) {
			t.Errorf("%s: errors are not looked at", operation)
		}
		if got, _, err := m.Document([]byte(c.body), true); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v", operation, got, err)
		}
	}
}

func TestMalformedJSON(t *testing.T) {
	m := masker(t, "secretsmanager", "GetSecretValue")
	for _, body := range []string{
		`{"SecretString":`, `{} {}`, `<xml/>`, `{"a":1,}`, `[1,]`, `{"a" 1}`, `{1:2}`, `{"a":01}`, `{"a":1.}`, `{"a":.5}`, `{"a":1e}`, `{"a":-}`, `{"a":tru}`, `{"a":"\x"}`, `{"a":"\u12g4"}`, "{\"a\":\"\n\"}", `{"a":"`, `{`, `[`, `{"a"`, `"\u12`, `{"a":1]`,
	} {
		if got, _, err := m.Document([]byte(body), false); !errors.Is(err, awsmask.ErrMalformed) {
			t.Errorf("%s becomes %s, %v", body, got, err)
		}
	}
	deep := strings.Repeat(`{"SecretString":`, 5000) + "1" + strings.Repeat("}", 5000)
	if _, _, err := m.Document([]byte(deep), false); !errors.Is(err, awsmask.ErrTooLarge) {
		t.Errorf("a deep document: %v", err)
	}
	many := `{"VersionStages":[` + strings.Repeat("1,", 1<<20) + "1]}"
	if _, _, err := masker(t, "secretsmanager", "GetSecretValue", "VersionStages").Document([]byte(many), false); !errors.Is(err, awsmask.ErrTooLarge) {
		t.Errorf("a document of very many values: %v", err)
	}
	small, err := awsmask.New(awsmask.Config{Answer: call(t, "secretsmanager", "GetSecretValue").Answer(), MaxDocument: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := small.Document([]byte(`{"Name":"123456789"}`), false); !errors.Is(err, awsmask.ErrTooLarge) {
		t.Errorf("a large document: %v", err)
	}
}

func TestPaths(t *testing.T) {
	answer := call(t, "dynamodb", "GetItem").Answer()
	for _, good := range []string{"Item", "Item.*", "Item[*]", "Item{}", `Item["a.b"]`, `Item["a\"b"].S`, "Item.x.M.y", "header:X-Y", "Item.b.B|base64"} {
		if !awsmask.Leads(answer, good) {
			t.Errorf("%s leads to nothing", good)
		}
	}
	for _, bad := range []string{"", ".", "Item.", ".Item", "Itemx", "Item..S", "Item.x.y", "Item[0]", `Item["a`, `Item["a"`, `Item[""]`, "Item.x.S.y", "header:", "|base64", "Item" + strings.Repeat(".a.M", 40)} {
		if awsmask.Leads(answer, bad) {
			t.Errorf("%q leads to something", bad)
		}
	}
}

// FuzzPaths: a path is understood or not, and what leads somewhere says so twice.
func FuzzPaths(f *testing.F) {
	for _, seed := range []string{"Item.email", `Item["a.b"].M[*]`, "Item{}", "header:x|base64", "Item[]"} {
		f.Add(seed)
	}
	answer := call(f, "dynamodb", "GetItem").Answer()
	f.Fuzz(func(t *testing.T, path string) {
		leads := awsmask.Leads(answer, path)
		if leads && awsmask.CheckPath(path) != nil {
			t.Errorf("%q leads somewhere and is malformed", path)
		}
	})
}

// FuzzJSON: what is taken is JSON before and after, nothing else changes, and what is hidden stays hidden.
func FuzzJSON(f *testing.F) {
	f.Add(`{"Item":{"email":{"S":"secret"},"b":{"NS":["1"]}},"x":[1,{"y":null}]}`)
	f.Add(`{"Item":["\u0061","\\",1e5,true]}`)
	f.Add(`4e700`)
	f.Add(`{"Item":{"email":{"L":[{"M":{"k":{"S":"ada@example.com"}}}]}}}`)
	c := call(f, "dynamodb", "GetItem")
	hide := masker(f, "dynamodb", "GetItem", "Item")
	look, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Data: c.Data, Detector: detector(f)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, m := range []*awsmask.Masker{hide, look} {
			out, masked, err := m.Document([]byte(body), false)
			if err != nil || strings.TrimSpace(body) == "" {
				continue
			}
			if !json.Valid([]byte(body)) {
				t.Fatalf("%q is taken for JSON", body)
			}
			if !json.Valid(out) {
				t.Fatalf("%q becomes %q", body, out)
			}
			if len(masked) == 0 && string(out) != body {
				t.Fatalf("%q becomes %q unsaid", body, out)
			}
			again, _, err := m.Document(out, false)
			if err != nil || m == hide && string(again) != string(out) {
				t.Fatalf("%q becomes %q and then %q: %v", body, out, again, err)
			}
		}
		if json.Valid([]byte(body)) {
			if _, _, err := hide.Document([]byte(body), false); err != nil && !errors.Is(err, awsmask.ErrTooLarge) {
				t.Fatalf("%q: %v", body, err)
			}
		}
	})
}
