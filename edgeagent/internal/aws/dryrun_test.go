package aws

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/pkg/audit"
)

const holdVolumes = permitAll + `@id("agreed") @approval("1 of dba")
forbid (principal, action in Action::"aws:write", resource) when { context.action == "ec2:CreateVolume" } unless { context.approved };
`

func createVolume(more string) attempt {
	return attempt{method: "POST", path: "/", service: "ec2", body: "Action=CreateVolume&Version=2016-11-15&AvailabilityZone=eu-west-1a&Size=1" + more, header: http.Header{"Content-Type": {formType}}}
}

// bodies are what reached moto.
func (b *bed) bodies() (all []string) {
	for _, r := range b.reached() {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			b.t.Fatal(err)
		}
		all = append(all, string(text))
	}
	return all
}

// held waits until so many commands are held.
func held(t *testing.T, c *enforcetest.Control, n int) enforce.HoldRequest {
	t.Helper()
	for range 1000 {
		if all := c.Held(); len(all) >= n {
			return all[n-1]
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("nothing was held")
	return enforce.HoldRequest{}
}

// TestDryRun: approvers see AWS's own answer to a dry run of the very call. AWS gets that one and no other before they agree.
func TestDryRun(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Patience = time.Minute })
	if code, text := b.send(createVolume("")); code != http.StatusOK { // the emulator takes its time for the first call of a service
		t.Fatalf("%d %s", code, text)
	}
	b.reached()
	b.Policies.Set(t, holdVolumes)
	done := make(chan int, 1)
	go func() {
		code, _ := b.send(createVolume("&DryRun=false"))
		done <- code
	}()
	ask := held(t, b.Control, 1)
	if want := "AWS's dry run: DryRunOperation: "; !strings.HasPrefix(ask.Preview.Detail, want) {
		t.Errorf("%q, want %q", ask.Preview.Detail, want)
	}
	if got := b.bodies(); len(got) != 1 || got[0] != "Action=CreateVolume&Version=2016-11-15&AvailabilityZone=eu-west-1a&Size=1&DryRun=true" {
		t.Errorf("before the approval %q reached AWS", got)
	}
	b.Control.Decide(t, 1, enforce.HoldApproved)
	if code := <-done; code != http.StatusOK {
		t.Errorf("%d", code)
	}
	if got := b.bodies(); len(got) != 1 || strings.Contains(got[0], "DryRun=true") {
		t.Errorf("after the approval %q reached AWS", got)
	}
	looks := 0
	for _, r := range b.Records.Of(audit.KindCommand) {
		for _, a := range r.Attrs {
			if a.Name == "previews" {
				looks++
			}
		}
	}
	if looks != 1 {
		t.Errorf("%d dry runs are recorded", looks)
	}
}

// TestNoDryRun: where policy does not let it, or the operation has none, nothing reaches AWS before approvers agree.
func TestNoDryRun(t *testing.T) {
	b := newBed(t, func(c *Config) { c.Patience = 300 * time.Millisecond })
	for name, c := range map[string]struct {
		policy, detail string
		call           attempt
	}{
		"policy forbids it": {holdVolumes + `@id("none") forbid (principal, action, resource is AWSResource) when { context.dry_run };
`, "no dry run: ", createVolume("")},
		"it is one itself": {holdVolumes, "", createVolume("&DryRun=true")},
		"there is none": {permitAll + `@id("agreed") @approval("1 of dba")
forbid (principal, action in Action::"aws:write", resource) when { context.action == "sqs:CreateQueue" } unless { context.approved };
`, "", jsonCall("sqs", "AmazonSQS.CreateQueue", obj{"QueueName": "q"})},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(b.Control.Held())
			b.Policies.Set(t, c.policy)
			if code, text := b.send(c.call); code < 400 {
				t.Errorf("%d %s", code, text)
			}
			ask := held(t, b.Control, before+1)
			if !strings.HasPrefix(ask.Preview.Detail, c.detail) || (c.detail == "") != (ask.Preview.Detail == "") {
				t.Errorf("%q", ask.Preview.Detail)
			}
			if got := b.bodies(); len(got) > 0 {
				t.Errorf("%q reached AWS", got)
			}
		})
	}
}

func TestVerdict(t *testing.T) {
	answer := func(status int, body string) *http.Response {
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(body))}
	}
	code, message, err := verdictOf(answer(403, `<?xml version="1.0"?><Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized.</Message></Error></Errors><RequestID>x</RequestID></Response>`))
	if code != "UnauthorizedOperation" || message != "You are not authorized." || err != nil {
		t.Errorf("%s, %s, %v", code, message, err)
	}
	for name, r := range map[string]*http.Response{
		"no error": answer(200, `<CreateVolumeResponse/>`), "no XML": answer(500, `down`), "nothing": answer(412, ``),
		"long": answer(412, `<Response><Errors><Error><Code>`+strings.Repeat("x", maxVerdict)),
	} {
		if _, _, err := verdictOf(r); err == nil {
			t.Error(name)
		}
	}
}
