package awsmask_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/writhq/writ/pkg/awsmask"
)

func items(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"Items":[`)
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":{"S":"item-%d"},"email":{"S":"user%d@shop"},"count":{"N":"%d"},"note":{"S":"some text of usual length about nothing"},"tags":{"L":[{"S":"a"},{"S":"b"}]}}`, i, i, i)
	}
	b.WriteString(`],"Count":1}`)
	return b.Bytes()
}

func BenchmarkJSON(b *testing.B) {
	body := items(5000)
	hide, look := masker(b, "dynamodb", "Scan", "Items[*].email"), looking(b, "dynamodb", "Scan")
	for name, m := range map[string]*awsmask.Masker{"hide": hide, "look": look} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, _, err := m.Document(body, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("encoding/json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
			if _, err := json.Marshal(v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkXML(b *testing.B) {
	var body bytes.Buffer
	body.WriteString("<ListBucketResult>")
	for i := range 5000 {
		fmt.Fprintf(&body, "<Contents><Key>a/long/key/%d</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", i, i)
	}
	body.WriteString("</ListBucketResult>")
	m := masker(b, "s3", "ListObjectsV2", "Contents[*].Key")
	b.SetBytes(int64(body.Len()))
	for b.Loop() {
		if _, _, err := m.Document(body.Bytes(), false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCBOR(b *testing.B) {
	var list cbor.List
	for i := range 5000 {
		list = append(list, cbor.Map{"AlarmDescription": cbor.String(fmt.Sprint("alarm ", i)), "AlarmName": cbor.String("name"), "Period": cbor.Uint(uint64(i))})
	}
	body := cbor.Encode(cbor.Map{"MetricAlarms": list})
	m := binary(b, "cloudwatch", "DescribeAlarms", "MetricAlarms[*].AlarmDescription")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if _, _, err := m.Document(body, false); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkObject(b *testing.B) {
	texts := map[string][]byte{
		"text":   []byte(strings.Repeat("a line of a log without anything in it that has to be hidden, as most are\n", 1<<17)),
		"csv":    []byte(strings.Repeat("1,user@example.com,4111 1111 1111 1111,some text\n", 1<<17)),
		"binary": bytes.Repeat(append([]byte{0}, "binary"...), 1<<20),
	}
	m := looking(b, "s3", "GetObject")
	for name, text := range texts {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, _, err := m.Object(io.Discard, bytes.NewReader(text), awsmask.Window{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNew is what each call costs before anything is masked.
func BenchmarkNew(b *testing.B) {
	det := detector(b)
	for _, name := range []string{"dynamodb:GetItem", "ec2:DescribeInstances", "s3:GetObject", "secretsmanager:GetSecretValue", "cognito-idp:ListUsers"} {
		service, operation, _ := strings.Cut(name, ":")
		c := call(b, service, operation)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Fields: redact(c.Secrets...), Data: c.Data, Detector: det}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
