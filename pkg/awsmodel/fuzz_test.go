package awsmodel

import (
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/awsmodel/data"
	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// FuzzIdentify looks for panics, and for calls that do not belong to the scope that they were signed for.
func FuzzIdentify(f *testing.F) {
	m := model(f)
	f.Add("GET", "/bkt/a", "versionId=1", "s3", "", "", "", "")
	f.Add("POST", "/", "", "sts", "", "", form, "Action=GetCallerIdentity&Version=2011-06-15")
	f.Add("POST", "/", "", "dynamodb", "dynamodb.us-east-1.amazonaws.com", putItem, "application/x-amz-json-1.0", "{}")
	f.Add("DELETE", "/clusters/c", "", "eks", "", "", "", "")
	f.Fuzz(func(t *testing.T, method, path, query, service, host, target, contentType, text string) {
		r := Request{Method: method, Path: path, Query: query, Service: service, Region: "us-east-1", Host: host, Header: map[string][]string{}, Body: body(text)}
		if target != "" {
			r.Header["X-Amz-Target"] = []string{target}
		}
		if contentType != "" {
			r.Header["Content-Type"] = []string{contentType}
		}
		c, err := m.Identify(r)
		if err != nil {
			return
		}
		if service != "" && c.api.SigningName != service {
			t.Errorf("%s is taken for %s", service, c.Service)
		}
		if target != "" && !strings.HasSuffix(target, "."+c.Operation) {
			t.Errorf("%s is taken for %s", target, c.Operation)
		}
		p, err := m.Members(c, r.Body)
		if err != nil {
			return
		}
		for _, role := range m.Roles(c, p) {
			_ = role
		}
		if all, err := m.Access(c, p, owner); err == nil {
			for _, a := range all {
				if len(a.Resources) == 0 {
					t.Errorf("%s has no resource", a.Action)
				}
			}
		}
	})
}

func fuzzBody(f *testing.F, r Request, seeds ...string) {
	m := model(f)
	r.Body = body(seeds[0])
	c, err := m.Identify(r)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := m.Members(c, body(s))
		if err != nil && p.Kind != NoValue {
			t.Error("members come with the refusal")
		}
	})
}

func FuzzJSON(f *testing.F) {
	fuzzBody(f, jsonCall("dynamodb", putItem, ""), `{"TableName":"t","Item":{"a":{"S":"b"}}}`, `{"a":[1,{"b":null}]}`)
}

func FuzzXML(f *testing.F) {
	fuzzBody(f, Request{Method: "POST", Path: "/bkt", Query: "delete", Service: "s3"}, `<Delete><Object><Key>a</Key></Object></Delete>`, `<?xml version="1.0"?><a b="c"><![CDATA[d]]></a>`)
}

func FuzzCBOR(f *testing.F) {
	fuzzBody(f, Request{Method: "POST", Path: "/service/GraniteServiceVersion20100801/operation/PutMetricData", Service: "monitoring", Header: header("Smithy-Protocol", "rpc-v2-cbor")},
		"\xa1\x69Namespace\x61a", "\xbf\x69Namespace\x7f\x61a\x61b\xff\xff")
}

func FuzzForm(f *testing.F) {
	m := model(f)
	f.Add("IamInstanceProfile.Name=p&SecurityGroupId.1=s")
	f.Add("BlockDeviceMapping.1.Ebs.VolumeSize=3")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := m.Identify(formCall("ec2", "2016-11-15", "Action=RunInstances&"+s))
		if err != nil {
			return
		}
		if p, err := m.Members(c, nil); err != nil && p.Kind != NoValue {
			t.Error("members come with the refusal")
		}
	})
}

// FuzzHost looks for names that are taken for AWS's and end in something else.
func FuzzHost(f *testing.F) {
	m := model(f)
	for _, s := range []string{"sts.amazonaws.com", "bkt.s3.eu-west-1.amazonaws.com", "123456789012.s3-control.us-east-1.api.aws", "evil-amazonaws.com"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, ok := m.Host(s)
		if !ok {
			return
		}
		lower := strings.ToLower(s)
		for _, suffix := range m.hosts.suffixes {
			if strings.HasSuffix(lower, "."+suffix) && len(h.Services) > 0 {
				return
			}
		}
		t.Errorf("%q is taken for %v", s, h.Services)
	})
}

func FuzzModelfile(f *testing.F) {
	raw, err := inflate(data.Head, nil)
	if err != nil {
		f.Fatal(err)
	}
	head, err := modelfile.DecodeHead(raw)
	if err != nil {
		f.Fatal(err)
	}
	for _, h := range head.Services[:3] {
		b, err := inflate(data.Services[h.Offset:h.Offset+h.Size], []byte(head.Dictionary))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = modelfile.DecodeHead(b)
		if s, err := modelfile.DecodeService(b, modelfile.Head{Protocols: []Protocol{RESTJSON}}); err == nil {
			_, _ = newAPI(s)
		}
	})
}
