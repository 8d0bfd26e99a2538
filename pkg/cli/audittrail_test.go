package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// trail writes a log file of CloudTrail with events {id, request id, session, source identity}, and returns its folder.
func trail(t *testing.T, events ...[4]string) string {
	t.Helper()
	records := make([]string, len(events))
	for i, e := range events {
		records[i] = fmt.Sprintf(`{"eventID":%q,"requestID":%q,"eventTime":"2026-11-23T12:00:0%dZ","eventSource":"s3.amazonaws.com","eventName":"PutObject",
"sourceIPAddress":"192.0.2.7","userIdentity":{"type":"AssumedRole","arn":"arn:aws:sts::123456789012:assumed-role/prod/%s","sessionContext":{"sourceIdentity":%q}}}`,
			e[0], e[1], i, e[2], e[3])
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.json"), []byte(`{"Records":[`+strings.Join(records, ",")+`]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func outcome(request string) *accessv1.Record {
	return &accessv1.Record{
		Id: "rec-" + request, Kind: "outcome", Session: "ses-1", Time: timestamppb.New(time.Date(2026, 11, 23, 12, 0, 1, 0, time.UTC)),
		Json: `{"kind":"outcome","session":"ses-1","command":"c1","attrs":[{"name":"request_id","value":"` + request + `"}]}`,
	}
}

func TestAuditCloudTrail(t *testing.T) {
	b := newBench(t)
	recorded := [4]string{"e-1", "R1", "ses-1", "ada@example.com"}
	if _, diag := b.run(t, "", 1, "audit", "cloudtrail", trail(t, recorded)); !strings.Contains(diag, "there is no AWS account") {
		t.Error(diag)
	}
	b.cp.AddAccount("prod")
	for _, request := range []string{"R1", "R2"} {
		b.cp.AddAdminRecord(outcome(request))
	}
	b.cp.AddAdminRecord(&accessv1.Record{Kind: "outcome", Session: "ses-1", Json: `{"kind":"outcome"}`})

	out, _ := b.run(t, "", 0, "audit", "cloudtrail", trail(t, recorded, [4]string{"e-2", "R2", "ses-1", "ada@example.com"}))
	if !strings.Contains(out, "no findings") || !strings.Contains(out, "2, 2 of them in Writ's roles") {
		t.Error(out)
	}
	past, stranger := [4]string{"e-3", "R3", "ses-1", "ada@example.com"}, [4]string{"e-4", "R4", "mallory\u202e", ""}
	out, _ = b.run(t, "", 1, "audit", "cloudtrail", "--undelivered", trail(t, recorded, past, stranger))
	for _, want := range []string{"no record", "ada@example.com", "s3.amazonaws.com:PutObject", "192.0.2.7", "e-3", "no source identity", "mallory", "e-4", "no event", "R2"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "e-1") || strings.Contains(out, "\u202e") {
		t.Error(out)
	}
	out, _ = b.run(t, "", 1, "audit", "cloudtrail", trail(t, past), "-o", "json")
	if !strings.Contains(out, `"event_id": "e-3"`) || !strings.Contains(out, `"unidentified": []`) {
		t.Error(out)
	}
	b.run(t, "", 2, "audit", "cloudtrail", t.TempDir())
	b.run(t, "", 1, "audit", "cloudtrail", filepath.Join(t.TempDir(), "nowhere"))
	b.cp.AddAdminRecord(&accessv1.Record{Kind: "damage", Json: `{"kind":"damage","reason":"the block is cut"}`})
	if out, _ := b.run(t, "", 1, "audit", "cloudtrail", trail(t, recorded)); !strings.Contains(out, "the block is cut") {
		t.Error(out)
	}
}
