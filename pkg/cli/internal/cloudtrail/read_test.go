package cloudtrail

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// assumed is an event as AWS writes it.
const assumed = `{"eventVersion":"1.11","userIdentity":{"type":"AssumedRole","principalId":"AROAEXAMPLE:ses-1",
"arn":"arn:aws:sts::123456789012:assumed-role/shop/ses-1","accountId":"123456789012","accessKeyId":"ASIAEXAMPLE",
"sessionContext":{"sessionIssuer":{"type":"Role","principalId":"AROAEXAMPLE","arn":"arn:aws:iam::123456789012:role/writ/shop",
"accountId":"123456789012","userName":"shop"},"attributes":{"creationDate":"2026-11-23T11:55:00Z","mfaAuthenticated":"false"},
"sourceIdentity":"ada@example.com"}},"eventTime":"2026-11-23T12:00:00Z","eventSource":"s3.amazonaws.com","eventName":"GetObject",
"awsRegion":"eu-west-1","sourceIPAddress":"192.0.2.7","userAgent":"[aws-cli/1.45]","errorCode":"NoSuchKey",
"requestParameters":{"bucketName":"logs","key":"userIdentity"},"responseElements":null,"requestID":"AB12","eventID":"e-1",
"readOnly":true,"resources":[{"type":"AWS::S3::Object","ARN":"arn:aws:s3:::logs/2026"}],"eventType":"AwsApiCall",
"managementEvent":false,"recipientAccountId":"123456789012","eventCategory":"Data"}`

const others = `{"eventID":"e-2","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::123456789012:user/kim"},"eventTime":"2026-11-23T12:00:00Z"},
{"eventID":"e-3","userIdentity":{"type":"AWSService","invokedBy":"rds.amazonaws.com"},"eventTime":"2026-11-23T12:00:00Z","requestID":null},
{"eventID":"e-4","userIdentity":null,"eventTime":"2026-11-23T12:00:00Z"},null`

var wanted = Event{
	ID: "e-1", RequestID: "AB12", Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Service: "s3.amazonaws.com", Name: "GetObject",
	Region: "eu-west-1", ErrorCode: "NoSuchKey", Address: "192.0.2.7", Role: Role{"123456789012", "shop"}, Session: "ses-1", SourceIdentity: "ada@example.com",
}

func read(t *testing.T, text string) (events []Event, all int, err error) {
	t.Helper()
	all, err = Read(strings.NewReader(text), func(e Event) error {
		events = append(events, e)
		return nil
	})
	return events, all, err
}

func TestRead(t *testing.T) {
	file := `{"Records":[` + assumed + "," + others + "]}\n"
	packed := new(bytes.Buffer)
	z := gzip.NewWriter(packed)
	if _, err := z.Write([]byte(file)); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"plain": file, "packed": packed.String(), "with more": `{"version":{"a":[1,2]},` + file[1:]} {
		if events, all, err := read(t, text); err != nil || all != 5 || !slices.Equal(events, []Event{wanted}) {
			t.Errorf("%s: %d, %+v, %v", name, all, events, err)
		}
	}
	if _, all, err := read(t, `{"Records":[]}`); all != 0 || err != nil {
		t.Errorf("a file without events: %d, %v", all, err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no object": "[]", "no Records": `{"logFiles":[]}`, "Records twice": `{"Records":[],"Records":[]}`, "no list": `{"Records":{}}`,
		"cut": file[:len(file)-20], "cut in a list": `{"Records":[`, "something after it": file + "{}", "not JSON": "Records",
		"cut and packed": packed.String()[:packed.Len()-9], "a number for a name": `{"Records":[{"eventName":7}]}`, "no time": `{"Records":[{"eventTime":"noon"}]}`,
		"an event too large": `{"Records":[{"eventName":"` + strings.Repeat("x", 2*maxEvent) + `"}]}`,
		"a name too large":   `{"` + strings.Repeat("x", 2*maxEvent) + `":1,"Records":[]}`,
	} {
		if _, _, err := read(t, text); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stop := errors.New("stop")
	if _, err := Read(strings.NewReader(file), func(Event) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func TestFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"AWSLogs/1/CloudTrail/eu-west-1/a_CloudTrail.json.gz", "AWSLogs/1/CloudTrail/eu-west-1/b.json", "AWSLogs/1/CloudTrail/notes.txt",
		"AWSLogs/1/CloudTrail-Digest/eu-west-1/d.json.gz", "AWSLogs/1/CloudTrail-Insight/i.json.gz", "one.log",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	names, err := Files([]string{filepath.Join(dir, "AWSLogs"), filepath.Join(dir, "one.log")})
	for i, name := range names {
		names[i], _ = filepath.Rel(dir, name)
	}
	if want := []string{"AWSLogs/1/CloudTrail/eu-west-1/a_CloudTrail.json.gz", "AWSLogs/1/CloudTrail/eu-west-1/b.json", "one.log"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("got %v, %v", names, err)
	}
	if _, err := Files([]string{filepath.Join(dir, "nowhere")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestParseRole(t *testing.T) {
	for arn, want := range map[string]Role{
		"arn:aws:iam::123456789012:role/shop":         {"123456789012", "shop"},
		"arn:aws-cn:iam::123456789012:role/a/b/shop":  {"123456789012", "shop"},
		"arn:aws:iam::123456789012:user/shop":         {},
		"arn:aws:sts::123456789012:assumed-role/shop": {},
		"arn:aws:iam::123456789012:role/":             {},
		"arn:aws:iam:::role/shop":                     {},
		"":                                            {},
	} {
		if got, ok := ParseRole(arn); ok != (want != Role{}) || ok && got != want {
			t.Errorf("%s: %+v, %t", arn, got, ok)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"Records":[` + assumed + "," + others + `]}`))
	f.Add([]byte(`{"a":{},"Records":[]}`))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, data []byte) {
		n := 0
		all, err := Read(bytes.NewReader(data), func(e Event) error {
			if n++; e.Role.Account != "" && strings.ContainsAny(e.Role.Account, ":") || e.Time.Location() != time.UTC {
				return fmt.Errorf("%+v", e)
			}
			return nil
		})
		if n > all || err != nil && !errors.Is(err, ErrFormat) {
			t.Errorf("%d of %d events, %v", n, all, err)
		}
	})
}
