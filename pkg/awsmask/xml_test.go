package awsmask_test

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/awsmask"
)

func TestXML(t *testing.T) {
	for _, c := range []struct{ operation, path, body, want string }{
		{"iam:CreateAccessKey", "AccessKey.SecretAccessKey",
			`<?xml version="1.0"?><CreateAccessKeyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateAccessKeyResult><AccessKey><UserName>a</UserName><SecretAccessKey>x&amp;y</SecretAccessKey></AccessKey></CreateAccessKeyResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></CreateAccessKeyResponse>`,
			`<?xml version="1.0"?><CreateAccessKeyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><CreateAccessKeyResult><AccessKey><UserName>a</UserName><SecretAccessKey>***</SecretAccessKey></AccessKey></CreateAccessKeyResult><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></CreateAccessKeyResponse>`},
		{"iam:CreateAccessKey", "AccessKey.SecretAccessKey", `<R><CreateAccessKeyResult><AccessKey><SecretAccessKey><![CDATA[x<y]]><!-- z --></SecretAccessKey></AccessKey></CreateAccessKeyResult></R>`,
			`<R><CreateAccessKeyResult><AccessKey><SecretAccessKey>***</SecretAccessKey></AccessKey></CreateAccessKeyResult></R>`},
		{"iam:CreateAccessKey", "AccessKey.SecretAccessKey", `<a:R xmlns:a="u"><a:CreateAccessKeyResult><a:AccessKey><a:SecretAccessKey>s</a:SecretAccessKey></a:AccessKey></a:CreateAccessKeyResult></a:R>`,
			`<a:R xmlns:a="u"><a:CreateAccessKeyResult><a:AccessKey><a:SecretAccessKey>***</a:SecretAccessKey></a:AccessKey></a:CreateAccessKeyResult></a:R>`},
		{"iam:CreateAccessKey", "AccessKey.SecretAccessKey", `<R><AccessKey><SecretAccessKey>s</SecretAccessKey></AccessKey></R>`, `<R><AccessKey><SecretAccessKey>***</SecretAccessKey></AccessKey></R>`},
		{"iam:CreateAccessKey", "AccessKey.SecretAccessKey", `<R><CreateAccessKeyResult><AccessKey>bare</AccessKey></CreateAccessKeyResult></R>`, `<R><CreateAccessKeyResult><AccessKey>***</AccessKey></CreateAccessKeyResult></R>`},
		{"iam:CreateAccessKey", "AccessKey.CreateDate", `<R><CreateAccessKeyResult><AccessKey><CreateDate>2026-01-02T03:04:05Z</CreateDate></AccessKey></CreateAccessKeyResult></R>`, `<R><CreateAccessKeyResult><AccessKey><CreateDate>1970-01-01T00:00:00Z</CreateDate></AccessKey></CreateAccessKeyResult></R>`},
		{"ec2:DescribeInstanceAttribute", "userData.value|base64", `<DescribeInstanceAttributeResponse><requestId>r</requestId><userData><value>aHVudGVyMg==</value></userData></DescribeInstanceAttributeResponse>`,
			`<DescribeInstanceAttributeResponse><requestId>r</requestId><userData><value>Kioq</value></userData></DescribeInstanceAttributeResponse>`},
		{"ec2:DescribeInstanceAttribute", "UserData.Value", `<R><userData><value>s</value></userData><ebsOptimized><value>true</value></ebsOptimized></R>`, `<R><userData><value>***</value></userData><ebsOptimized><value>true</value></ebsOptimized></R>`},
		{"ec2:DescribeInstanceAttribute", "EbsOptimized", `<R><ebsOptimized><value>true</value></ebsOptimized></R>`, `<R><ebsOptimized><value>false</value></ebsOptimized></R>`},
		{"ec2:DescribeInstances", "Reservations[*].Instances[*].Tags[*].Value",
			`<R><reservationSet><item><instancesSet><item><tagSet><item><key>k</key><value>v</value></item><item><key>l</key><value/></item></tagSet></item></instancesSet></item></reservationSet></R>`,
			`<R><reservationSet><item><instancesSet><item><tagSet><item><key>k</key><value>***</value></item><item><key>l</key><value/></item></tagSet></item></instancesSet></item></reservationSet></R>`},
		{"ec2:DescribeInstances", "Reservations[].Instances[].AmiLaunchIndex", `<R><reservationSet><item><instancesSet><item><amiLaunchIndex>7</amiLaunchIndex></item></instancesSet></item></reservationSet></R>`,
			`<R><reservationSet><item><instancesSet><item><amiLaunchIndex>0</amiLaunchIndex></item></instancesSet></item></reservationSet></R>`},
		{"s3:ListObjectsV2", "Contents[*].Key", `<ListBucketResult><Name>b</Name><Contents><Key>a</Key><Size>1</Size></Contents><Contents><Key>b</Key></Contents></ListBucketResult>`,
			`<ListBucketResult><Name>b</Name><Contents><Key>***</Key><Size>1</Size></Contents><Contents><Key>***</Key></Contents></ListBucketResult>`},
		{"s3:GetBucketTagging", "TagSet[*].Value", `<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>`, `<Tagging><TagSet><Tag><Key>k</Key><Value>***</Value></Tag></TagSet></Tagging>`},
		{"s3:GetBucketInventoryConfiguration", "InventoryConfiguration.Id", `<InventoryConfiguration><Id>x</Id></InventoryConfiguration>`, `<InventoryConfiguration><Id>***</Id></InventoryConfiguration>`},
		{"sns:GetTopicAttributes", "Attributes.Policy", `<R><GetTopicAttributesResult><Attributes><entry><key>Policy</key><value>p</value></entry><entry><key>Owner</key><value>o</value></entry></Attributes></GetTopicAttributesResult></R>`,
			`<R><GetTopicAttributesResult><Attributes><entry><key>Policy</key><value>***</value></entry><entry><key>Owner</key><value>o</value></entry></Attributes></GetTopicAttributesResult></R>`},
		{"sns:GetTopicAttributes", "Attributes.*", `<R><GetTopicAttributesResult><Attributes><entry><key>Policy</key><value>p</value></entry></Attributes></GetTopicAttributesResult></R>`,
			`<R><GetTopicAttributesResult><Attributes><entry><key>Policy</key><value>***</value></entry></Attributes></GetTopicAttributesResult></R>`},
		{"ec2:GetConsoleOutput", "output", ``, ``},
	} {
		service, operation, _ := strings.Cut(c.operation, ":")
		got, masked, err := masker(t, service, operation, c.path).Document([]byte(c.body), false)
		if err != nil || string(got) != c.want {
			t.Errorf("%s of %s: %s, %v", c.path, c.body, got, err)
		}
		if changed := c.body != c.want; changed != (len(masked) == 1) {
			t.Errorf("%s of %s: masked %q", c.path, c.body, masked)
		}
	}
}

func TestXMLDetectors(t *testing.T) {
	const body = `<R><instanceId>ada@example.com</instanceId><output>bWFpbCBhZGFAZXhhbXBsZS5jb20=</output></R>`
	got, masked, err := looking(t, "ec2", "GetConsoleOutput").Document([]byte(body), false)
	if want := `<R><instanceId>ada@example.com</instanceId><output>bWFpbCAqKio=</output></R>`; err != nil || string(got) != want || len(masked) != 1 {
		t.Errorf("%s, %q, %v", got, masked, err)
	}
}

func TestMalformedXML(t *testing.T) {
	m := masker(t, "sns", "GetTopicAttributes", "Attributes.Policy")
	const inner = `<R><GetTopicAttributesResult><Attributes>`
	for _, body := range []string{
		`{"a":1}`, `<a>`, `<a></b>`, `<a/><b/>`, `<a/>x`, `x<a/>`, `<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>`, `<!DOCTYPE a><a/>`, `<a>&b;</a>`, `<a><?php ?></a>`, `<?xml version="1.0" encoding="utf-16"?><a/>`, `<x:a></y:a>`, `<a`, "<a>\xff</a>",
		inner + `<entry><value>p</value><key>Policy</key></entry></Attributes></GetTopicAttributesResult></R>`,
		inner + `<entry><key>a</key><key>Policy</key><value>p</value></entry></Attributes></GetTopicAttributesResult></R>`,
		inner + `<entry><key>Policy</key><other>p</other></entry></Attributes></GetTopicAttributesResult></R>`,
		inner + `<entry><key><b>Policy</b></key><value>p</value></entry></Attributes></GetTopicAttributesResult></R>`,
		`<R>loose</R>`, `<R>loose<GetTopicAttributesResult></GetTopicAttributesResult></R>`, `<R><GetTopicAttributesResult>loose</GetTopicAttributesResult></R>`,
		inner + `loose<entry><key>Policy</key><value>p</value></entry></Attributes></GetTopicAttributesResult></R>`,
		inner + `<entry><key>Policy</key><value>p</value></entry>loose</Attributes></GetTopicAttributesResult></R>`,
	} {
		if got, _, err := m.Document([]byte(body), false); !errors.Is(err, awsmask.ErrMalformed) {
			t.Errorf("%s becomes %s, %v", body, got, err)
		}
	}
	deep := strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000)
	if _, _, err := m.Document([]byte(deep), false); !errors.Is(err, awsmask.ErrTooLarge) {
		t.Errorf("a deep document: %v", err)
	}
}

// However a document is indented, reading it takes time in proportion to its size.
func TestIndentedXML(t *testing.T) {
	body := "<ListBucketResult>" + strings.Repeat(strings.Repeat(" ", 40)+"\n<Contents><Key>k</Key></Contents>", 100_000) + "</ListBucketResult>"
	out, _, err := masker(t, "s3", "ListObjectsV2", "Contents[*].Key").Document([]byte(body), false)
	if err != nil || strings.Count(string(out), "***") != 100_000 {
		t.Errorf("%d bytes, %v", len(out), err)
	}
}

// tokens reads a document to its end.
func tokens(body []byte) error {
	in := xml.NewDecoder(strings.NewReader(string(body)))
	for {
		if _, err := in.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// FuzzXML: what comes out is XML, a change is told, and what is hidden stays hidden.
func FuzzXML(f *testing.F) {
	f.Add(`<R><GetTopicAttributesResult><Attributes><entry><key>Policy</key><value>p</value></entry></Attributes></GetTopicAttributesResult></R>`)
	f.Add(`<R><Attributes><entry><key><![CDATA[Policy]]></key><value>p&amp;<!-- c --></value></entry></Attributes></R>`)
	m := masker(f, "sns", "GetTopicAttributes", "Attributes")
	f.Fuzz(func(t *testing.T, body string) {
		out, masked, err := m.Document([]byte(body), false)
		if err != nil || strings.TrimSpace(body) == "" {
			return
		}
		if tokens([]byte(body)) == nil {
			if err := tokens(out); err != nil {
				t.Fatalf("%q becomes %q: %v", body, out, err)
			}
		}
		if len(masked) == 0 && string(out) != body {
			t.Fatalf("%q becomes %q unsaid", body, out)
		}
		if again, _, err := m.Document(out, false); err != nil || string(again) != string(out) {
			t.Fatalf("%q becomes %q and then %q: %v", body, out, again, err)
		}
	})
}
