package awsmodel

import "testing"

// TestLevels: what the reference says of an action's level reaches the models, in whatever words it says it.
func TestLevels(t *testing.T) {
	m, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	none := func() ([]byte, error) { return nil, nil }
	form := func(text string) (Request, func() ([]byte, error)) {
		return Request{Method: "POST", Path: "/", Service: "iam", Region: "us-east-1", Header: map[string][]string{"Content-Type": {"application/x-www-form-urlencoded"}}},
			func() ([]byte, error) { return []byte(text + "&Version=2010-05-08"), nil }
	}
	attach, attachBody := form("Action=AttachRolePolicy&RoleName=a&PolicyArn=arn:aws:iam::aws:policy/ReadOnlyAccess")
	create, createBody := form("Action=CreateAccessKey&UserName=a")
	for action, test := range map[string]struct {
		r    Request
		body func() ([]byte, error)
		want Level
	}{
		"s3:ListBucket":          {Request{Method: "GET", Path: "/bkt", Query: "list-type=2", Service: "s3", Region: "eu-west-1"}, none, List},
		"s3:GetObject":           {Request{Method: "GET", Path: "/bkt/a", Service: "s3", Region: "eu-west-1"}, none, Read},
		"s3:PutObject":           {Request{Method: "PUT", Path: "/bkt/a", Service: "s3", Region: "eu-west-1"}, none, Write},
		"s3:DeleteObjectTagging": {Request{Method: "DELETE", Path: "/bkt/a", Query: "tagging", Service: "s3", Region: "eu-west-1"}, none, Tagging},
		"iam:AttachRolePolicy":   {attach, attachBody, Permissions},
		"iam:CreateAccessKey":    {create, createBody, Write},
	} {
		test.r.Body = test.body
		call, err := m.Identify(test.r)
		if err != nil {
			t.Errorf("%s: %v", action, err)
			continue
		}
		params, err := m.Members(call, test.body)
		if err != nil {
			t.Errorf("%s: %v", action, err)
			continue
		}
		access, err := m.Access(call, params, Owner{Partition: "aws", Region: "eu-west-1", Account: "123456789012"})
		if err != nil || len(access) != 1 || access[0].Action != action || access[0].Level != test.want {
			t.Errorf("%s: %+v, %v; want level %v", action, access, err, test.want)
		}
	}
}
