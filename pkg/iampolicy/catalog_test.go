package iampolicy

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestCatalogWith(t *testing.T) {
	c, err := Default().With([]string{"kms:Decrypt", "Athena:*"}, []string{"SQS:*", "iam:PassRole"})
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]Class{
		"kms:decrypt": Added, "athena:StartQueryExecution": Added, "sqs:PurgeQueue": "", "iam:PassRole": "", "iam:CreateRole": Permissions,
	} {
		if got, ok := c.Find(action); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %t", action, got, ok)
		}
	}
	if got := c.Actions(Added); !slices.Equal(got, []string{"kms:Decrypt", "Athena:*"}) {
		t.Errorf("added %v", got)
	}
	if _, ok := Default().Find("kms:Decrypt"); ok || c.Digest() == Default().Digest() {
		t.Error("the default catalog has changed")
	}
	same, err := Default().With(nil, nil)
	if err != nil || same.Digest() != Default().Digest() {
		t.Error("nothing added is another catalog:", err)
	}
}

func TestCatalogRefuses(t *testing.T) {
	for _, c := range []struct {
		add, remove []string
		named       string
	}{
		{add: []string{"PassRole"}, named: `"PassRole"`},
		{add: []string{"kms:Decrypt", ""}, named: `""`},
		{add: []string{"kms:Decrypt now"}, named: `"kms:Decrypt now"`},
		{add: []string{"IAM:passrole"}, named: `"IAM:passrole"`},
		{add: []string{"kms:D*", "kms:d*"}, named: `"kms:d*"`},
		{remove: []string{"iam"}, named: `"iam"`},
		{remove: []string{"s3:GetObject"}, named: `"s3:GetObject"`},
		{remove: []string{"iam:Pass"}, named: `"iam:Pass"`},
		{remove: []string{"*"}, named: "nothing"},
	} {
		if got, err := Default().With(c.add, c.remove); !errors.Is(err, ErrCatalog) || !strings.Contains(err.Error(), c.named) || got.Len() != 0 {
			t.Errorf("%v, %v: %v", c.add, c.remove, err)
		}
	}
}

// A pattern that an operator adds is found where any of its actions is allowed, and gone only where all are denied.
func TestAnalyseWithPatterns(t *testing.T) {
	c, err := Catalog{}.With([]string{"athena:Start*"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for statements, want := range map[string]bool{
		`{"Effect":"Allow","Action":"athena:StartSession","Resource":"*"}`:                                                                                 true,
		`{"Effect":"Allow","Action":"*:*Session","Resource":"*"}`:                                                                                          true,
		`{"Effect":"Allow","Action":"athena:StopSession","Resource":"*"}`:                                                                                  false,
		`{"Effect":"Allow","NotAction":"athena:StartSession","Resource":"*"}`:                                                                              true,
		`{"Effect":"Allow","NotAction":"athena:S*","Resource":"*"}`:                                                                                        false,
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"athena:StartSession","Resource":"*"}`:                                   true,
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"athena:*","Resource":"*"}`:                                              false,
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"athena:*","Resource":["arn:aws:athena:*:*:*","**"]}`:                    false,
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"athena:*","Resource":"arn:*"}`:                                          true,
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"athena:*","NotResource":"arn:x"}`:                                       true,
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","NotAction":"s3:*","Resource":"*"}`:                                               false,
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","NotAction":"athena:*Session","Resource":"*"}`:                                    true,
		`{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"athena:*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":1}}}`: true,
	} {
		a, err := Analyse(inline(t, `{"Version":"2012-10-17","Statement":[`+statements+`]}`), c)
		if err != nil || a.Privileged() != want {
			t.Errorf("%s: %t, %v", statements, a.Privileged(), err)
		}
	}
}

func TestReasons(t *testing.T) {
	r := inline(t, `{"Version":"2012-10-17","Statement":[
		{"Sid":"Read","Effect":"Allow","Action":"s3:Get*","Resource":"*"},
		{"Sid":"Pass","Effect":"Allow","Action":["iam:Get*","iam:Pass*"],"Resource":"arn:aws:iam::*:role/${aws:username}","Condition":{"StringEquals":{"iam:PassedToService":"lambda.amazonaws.com"}}},
		{"Effect":"Allow","NotAction":["iam:*","s3:*","ec2:*"],"NotResource":"arn:aws:sqs:*:*:q"},
		{"Effect":"Deny","Action":"s3:*","Resource":"*"}]}`)
	r.Attached = []Document{managed(t, "AmazonRDSFullAccess")}
	c, err := Catalog{}.With([]string{"iam:PassRole", "rds:DeleteDBInstance", "s3:GetObject", "ec2:RunInstances"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, err := Analyse(r, c)
	if err != nil {
		t.Fatal(err)
	}
	reasons := a.Reasons()
	if len(reasons) != 3 || len(a.Privileges) != 2 || !slices.Equal(a.Classes(), []Class{Added}) {
		t.Fatalf("%+v", a)
	}
	rds, pass, rest := reasons[0].Source, reasons[1].Source, reasons[2].Source
	if rds.Use != "attached" || rds.Version != "v14" || rds.ARN != "arn:aws:iam::aws:policy/AmazonRDSFullAccess" || !rds.AllResources {
		t.Errorf("%+v", rds)
	}
	if pass.Use != "inline" || pass.Policy != "inline" || pass.Sid != "Pass" || pass.Index != 1 || !pass.Conditional || pass.AllResources || !strings.HasPrefix(pass.Text, `{"Sid":"Pass"`) {
		t.Errorf("%+v", pass)
	}
	if rest.Index != 2 || rest.AllResources || rest.Conditional || !slices.Equal(rest.NotResources, []string{"arn:aws:sqs:*:*:q"}) {
		t.Errorf("%+v", rest)
	}
	if p, ok := a.Find("IAM:passrole"); !ok || p.Verdict != Conditional || p.AllResources || p.Because[0].Pattern != "iam:Pass*" {
		t.Errorf("%+v", p)
	}
	if p, _ := a.Find("rds:DeleteDBInstance"); len(p.Because) != 2 || p.Because[0].Pattern != "rds:*" || p.Because[1].Pattern != "" || p.Verdict != Allowed {
		t.Errorf("%+v", p)
	}
	if !slices.Equal(reasons[1].Actions, []string{"iam:PassRole"}) || !slices.Equal(reasons[2].Actions, []string{"rds:DeleteDBInstance"}) {
		t.Errorf("%+v", reasons)
	}
	stored, err := json.Marshal(a)
	var back Analysis
	if err != nil || json.Unmarshal(stored, &back) != nil || !reflect.DeepEqual(a, back) {
		t.Error("it does not come back from JSON:", err)
	}
	if !slices.Equal(a.Actions(), []string{"iam:PassRole", "rds:DeleteDBInstance"}) {
		t.Error(a.Actions())
	}
	if never := (Analysis{}); !never.Privileged() || !slices.Equal(never.Actions(), []string{"*"}) {
		t.Error("what was never analysed is not privileged")
	}
}

func TestDigest(t *testing.T) {
	c := Default()
	base := func() Role {
		b := managed(t, "PowerUserAccess")
		return Role{ARN: testRole, Attached: []Document{managed(t, "AmazonS3FullAccess"), managed(t, "AmazonSQSFullAccess")}, Boundary: &b}
	}
	first := base().Digest(c)
	reordered := base()
	slices.Reverse(reordered.Attached)
	if reordered.Digest(c) != first {
		t.Error("the order of a list matters")
	}
	for name, change := range map[string]func(*Role){
		"a version":     func(r *Role) { r.Attached[0].Version = "v99" },
		"a policy less": func(r *Role) { r.Attached = r.Attached[:1] },
		"a text":        func(r *Role) { r.Attached[0].Policy = r.Attached[1].Policy },
		"an inline one": func(r *Role) { r.Inline = []Document{{Name: "x", Policy: r.Attached[0].Policy}} },
		"no boundary":   func(r *Role) { r.Boundary = nil },
		"another role":  func(r *Role) { r.ARN += "2" },
		"a level":       func(r *Role) { r.ServiceControl = [][]Document{{}} },
		"moved":         func(r *Role) { r.Inline, r.Attached = r.Attached, nil },
	} {
		r := base()
		change(&r)
		if r.Digest(c) == first {
			t.Errorf("%s does not matter", name)
		}
	}
	other, err := c.With(nil, []string{"iam:PassRole"})
	if err != nil || base().Digest(other) == first {
		t.Error("the catalog does not matter:", err)
	}
	a, err := Analyse(base(), c)
	if err != nil || a.Digest != first || len(a.Seen) != 3 || a.Role != testRole {
		t.Errorf("%+v, %v", a.Seen, err)
	}
}
