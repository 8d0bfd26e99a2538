package cli_test

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	accessv1 "github.com/writhq/writ/proto/access/v1"
)

// holdScale files a held command on a cluster, with a diff that would like to be more than that.
func (b *bench) holdScale() {
	b.cp.AddHold(&accessv1.HeldCommand{
		Id: "hold-scale", Principal: &accessv1.Principal{Name: "kim@example.com"}, Resource: "shop-k8s",
		Statement: "patch deployments.apps/scale shop/web", Actions: []string{"k8s:update"}, Digest: "00ff", State: accessv1.HoldState_HOLD_STATE_PENDING,
		Preview: &accessv1.Preview{
			Detail: "by a dry run (dryRun=All)",
			Diff:   "--- now\n+++ then\n@@ -4 +4 @@\n spec:\n-  replicas: 2\n+  replicas: 20\n+  note: \x1b[2K\u202e" + strings.Repeat(" ", 60) + "digest: beef\n",
		},
		CreatedAt: timestamppb.New(time.Now()), ExpiresAt: timestamppb.New(time.Now().Add(time.Hour)),
	})
}

func TestApproversSeeTheDiff(t *testing.T) {
	b := newBench(t)
	b.holdScale()
	b.env.Environ = append(b.env.Environ, "WRIT_TOKEN=dana-token")
	out, _ := b.run(t, "", 0, "show", "hold-scale")
	for _, want := range []string{
		"effect:       by a dry run (dryRun=All)\n", "\ndiff:\n  | --- now\n  | +++ then\n  | @@ -4 +4 @@\n  |  spec:\n  | -  replicas: 2\n  | +  replicas: 20\n",
		`  | +  note: \u{1b}[2K\u{202e}`, "\nwarning: the diff has characters that are hidden or look like others",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
	if strings.ContainsAny(out, "\x1b\u202e") {
		t.Error("what the diff holds reached the terminal")
	}
	b.env.Width = 60
	out, _ = b.run(t, "", 0, "show", "hold-scale")
	for line := range strings.SplitSeq(out, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "digest: beef") || strings.Contains(line, "beef") && !strings.HasPrefix(line, "  : ") {
			t.Errorf("a line of the diff passes for something else: %q", line)
		}
	}
	out, _ = b.run(t, "", 0, "approve", "hold-scale", "--digest", "00ff")
	if !strings.Contains(out, "-  replicas: 2\n") {
		t.Errorf("approved without the diff:\n%s", out)
	}
}

func TestDiffInJSON(t *testing.T) {
	b := newBench(t)
	b.holdScale()
	out, _ := b.run(t, "", 0, "show", "hold-scale", "-o", "json")
	if !strings.Contains(out, `"diff": "--- now\n+++ then\n`) || strings.ContainsAny(out, "\x1b\u202e") {
		t.Errorf("got %s", out)
	}
}
