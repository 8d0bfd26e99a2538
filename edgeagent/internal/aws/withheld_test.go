package aws

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
)

// An answer that is withheld is one that AWS gave: its record has AWS's status and request id, by which the call is found in CloudTrail.
func TestWithheldAnswersAreRecorded(t *testing.T) {
	for name, answer := range map[string]struct {
		status int
		body   string
	}{"unreadable": {http.StatusOK, "<html>"}, "a redirect": {http.StatusTemporaryRedirect, ""}} {
		t.Run(name, func(t *testing.T) {
			strange := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-Amzn-Requestid", "the-id-of-aws")
				w.Header().Set("Location", "https://example.com/")
				w.WriteHeader(answer.status)
				_, _ = w.Write([]byte(answer.body))
			}))
			t.Cleanup(strange.Close)
			b := newBedBefore(t, &bed{}, strange.URL, enforce.AWSKeys{KeyID: "ASIAEXAMPLE", Secret: []byte("upstream")})
			code, text := b.send(attempt{
				method: "POST", path: "/", service: "secretsmanager", body: `{"SecretId":"a"}`,
				header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"secretsmanager.GetSecretValue"}},
			})
			outcomes := b.Records.Of(audit.KindOutcome)
			if code == http.StatusOK || strings.Contains(text, "html") || len(outcomes) != 1 {
				t.Fatalf("%d %s, %d outcomes", code, text, len(outcomes))
			}
			o := outcomes[0]
			if fmt.Sprint(o.Attrs) != "[{request_id the-id-of-aws}]" || !strings.HasPrefix(o.CommandTag, fmt.Sprint(answer.status)) || o.Reason == "" {
				t.Errorf("%+v", o)
			}
		})
	}
}
