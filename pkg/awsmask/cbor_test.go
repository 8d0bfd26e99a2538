package awsmask_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/smithy-go/encoding/cbor"

	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/awsmodel"
)

// binary hides paths of an operation's answers in CBOR.
func binary(t testing.TB, service, operation string, paths ...string) *awsmask.Masker {
	t.Helper()
	answer := call(t, service, operation).Answer()
	answer.Protocol = awsmodel.CBOR
	m, err := awsmask.New(awsmask.Config{Answer: answer, Fields: redact(paths...)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCBOR(t *testing.T) {
	text := func(s string) cbor.Value { return cbor.String(s) }
	for _, c := range []struct {
		operation, path string
		body, want      cbor.Value
	}{
		{"cloudwatch:DescribeAlarms", "MetricAlarms[*].AlarmDescription",
			cbor.Map{"MetricAlarms": cbor.List{cbor.Map{"AlarmDescription": text("secret"), "AlarmName": text("a")}}, "NextToken": text("n")},
			cbor.Map{"MetricAlarms": cbor.List{cbor.Map{"AlarmDescription": text("***"), "AlarmName": text("a")}}, "NextToken": text("n")}},
		{"cloudwatch:DescribeAlarms", "MetricAlarms[*]",
			cbor.Map{"MetricAlarms": cbor.List{cbor.Map{"Threshold": cbor.Float64(1.5), "Period": cbor.Uint(300), "Low": cbor.NegInt(5), "ActionsEnabled": cbor.Bool(true), "X": cbor.Slice("raw"), "N": &cbor.Nil{}, "StateUpdatedTimestamp": &cbor.Tag{ID: 1, Value: cbor.Float64(1.7e9)}}}},
			cbor.Map{"MetricAlarms": cbor.List{cbor.Map{"Threshold": cbor.Float64(0), "Period": cbor.Uint(0), "Low": cbor.Uint(0), "ActionsEnabled": cbor.Bool(false), "X": cbor.Slice("***"), "N": &cbor.Nil{}, "StateUpdatedTimestamp": &cbor.Tag{ID: 1, Value: cbor.Float64(0)}}}}},
		{"cloudwatch:GetMetricData", "MetricDataResults[*].Values[*]",
			cbor.Map{"MetricDataResults": cbor.List{cbor.Map{"Id": text("m"), "Values": cbor.List{cbor.Float64(2), cbor.Uint(3)}}}},
			cbor.Map{"MetricDataResults": cbor.List{cbor.Map{"Id": text("m"), "Values": cbor.List{cbor.Float64(0), cbor.Uint(0)}}}}},
		{"cloudwatch:DescribeAlarms", "MetricAlarms[*].AlarmDescription", cbor.Map{"MetricAlarms": text("lost")}, cbor.Map{"MetricAlarms": text("***")}},
		{"cloudwatch:DescribeAlarms", "MetricAlarms[*].AlarmDescription", cbor.Map{"NextToken": text("n")}, cbor.Map{"NextToken": text("n")}},
	} {
		service, operation, _ := strings.Cut(c.operation, ":")
		body := cbor.Encode(c.body)
		got, _, err := binary(t, service, operation, c.path).Document(body, false)
		if err != nil {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		read, err := cbor.Decode(got)
		if err != nil || !reflect.DeepEqual(read, c.want) {
			t.Errorf("%s: %#v, %v", c.path, read, err)
		}
	}
}

// Definite and indefinite lengths come to the same, and what is around a hidden text stays as it was written.
func TestCBORLengths(t *testing.T) {
	m := binary(t, "cloudwatch", "DescribeAlarms", "NextToken")
	const name = "694e657874546f6b656e" // "NextToken"
	for body, want := range map[string]string{
		"a1" + name + "63616263":                     "a1" + name + "632a2a2a",
		"bf" + name + "63616263ff":                   "bf" + name + "632a2a2aff",
		"a1" + name + "7f616161626163ff":             "a1" + name + "632a2a2a",
		"a1" + name + "f6":                           "a1" + name + "f6",
		"a1" + name + "7803616263":                   "a1" + name + "632a2a2a",
		"a17f644e65787465546f6b656eff" + "63616263":  "a17f644e65787465546f6b656eff632a2a2a",
		"a2" + name + "63616263" + "6178" + "9f01ff": "a2" + name + "632a2a2a" + "6178" + "9f01ff",
	} {
		raw, _ := hex.DecodeString(body)
		got, _, err := m.Document(raw, false)
		if err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%s becomes %x, want %s, %v", body, got, want, err)
		}
	}
	for _, bad := range []string{"a1", "a1" + name, "a2" + name + "6161", "bf", "bf" + name + "6161", "a101" + "6161", "a1" + name + "61", "a1" + name + "7bffffffffffffffff", "a1" + name + "7f4161ff", "a1" + name + "7f7f6161ffff", "a1" + name + "1c", "a000", "ff", "a1" + name + "7f61"} {
		raw, _ := hex.DecodeString(bad)
		if got, _, err := m.Document(raw, false); !errors.Is(err, awsmask.ErrMalformed) {
			t.Errorf("%s becomes %x, %v", bad, got, err)
		}
	}
	deep := bytes.Repeat([]byte{0x81}, 5000)
	if _, _, err := m.Document(append(deep, 0), false); !errors.Is(err, awsmask.ErrTooLarge) {
		t.Errorf("a deep document: %v", err)
	}
}

// FuzzCBOR: what comes out is CBOR for another decoder too, a change is told, and what is hidden stays hidden.
func FuzzCBOR(f *testing.F) {
	f.Add(cbor.Encode(cbor.Map{"MetricAlarms": cbor.List{cbor.Map{"AlarmDescription": cbor.String("secret"), "Period": cbor.Uint(300)}}}))
	f.Add([]byte("\xbf\x6cMetricAlarms\x9f\xbf\x61a\x7f\x61b\xff\xff\xff\xff"))
	m := binary(f, "cloudwatch", "DescribeAlarms", "MetricAlarms")
	f.Fuzz(func(t *testing.T, body []byte) {
		out, masked, err := m.Document(body, false)
		if err != nil || len(body) == 0 {
			return
		}
		if _, err := cbor.Decode(body); err == nil {
			if _, err := cbor.Decode(out); err != nil {
				t.Fatalf("%x becomes %x: %v", body, out, err)
			}
		}
		if len(masked) == 0 && !bytes.Equal(out, body) {
			t.Fatalf("%x becomes %x unsaid", body, out)
		}
		if again, _, err := m.Document(out, false); err != nil || !bytes.Equal(again, out) {
			t.Fatalf("%x becomes %x and then %x: %v", body, out, again, err)
		}
	})
}
