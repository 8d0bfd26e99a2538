package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/writhq/writ/test/mototest"
)

// trail stands before a moto and logs what comes by, as CloudTrail does: who is behind a key it knows from the AssumeRole that gave it.
type trail struct {
	URL string

	mu     sync.Mutex
	keys   map[string]roleSession
	events []map[string]any
}

type roleSession struct {
	role, name, source       string
	id, secret, sessionToken string
}

func newTrail(t *testing.T, moto string) *trail {
	target, err := url.Parse(moto)
	if err != nil {
		t.Fatal(err)
	}
	tr := &trail{keys: map[string]roleSession{}}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // it is signed
	}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		id := fmt.Sprintf("%x-%s", time.Now().UnixNano(), rand.Text())
		answer := &answered{ResponseWriter: w, id: id}
		proxy.ServeHTTP(answer, r)
		tr.note(r, body, answer)
	}))
	t.Cleanup(server.Close)
	tr.URL = server.URL
	return tr
}

// answered gives a call the request id of an AWS that logs it, and keeps the answer.
type answered struct {
	http.ResponseWriter
	id     string
	status int
	body   bytes.Buffer
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.Header().Set("X-Amzn-Requestid", a.id)
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) Write(p []byte) (int, error) {
	a.body.Write(p)
	return a.ResponseWriter.Write(p)
}

var signedWith = regexp.MustCompile(`Credential=([A-Z0-9]+)/\d+/([a-z0-9-]+)/([a-z0-9-]+)/`)

func (tr *trail) note(r *http.Request, body []byte, answer *answered) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	form, _ := url.ParseQuery(string(body))
	tr.learn(form, answer.body.Bytes())
	m := signedWith.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		return
	}
	name := form.Get("Action")
	if _, target, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok {
		name = target
	}
	event := map[string]any{
		"eventVersion": "1.11", "eventID": rand.Text(), "requestID": answer.id, "eventTime": time.Now().UTC().Format(time.RFC3339), "eventName": name,
		"eventSource": m[3] + ".amazonaws.com", "awsRegion": m[2], "sourceIPAddress": "192.0.2.7", "userAgent": r.UserAgent(), "eventType": "AwsApiCall",
		"userIdentity":      map[string]any{"type": "IAMUser", "arn": "arn:aws:iam::" + mototest.Account + ":user/tester", "accountId": mototest.Account},
		"requestParameters": nil, "responseElements": nil, "managementEvent": true, "recipientAccountId": mototest.Account, "eventCategory": "Management",
	}
	if who, ok := tr.keys[m[1]]; ok {
		event["userIdentity"] = who.identity()
	}
	tr.events = append(tr.events, event)
}

// learn keeps whose a new key is.
func (tr *trail) learn(form url.Values, answer []byte) {
	var made struct {
		ID     string `xml:"AssumeRoleResult>Credentials>AccessKeyId"`
		Secret string `xml:"AssumeRoleResult>Credentials>SecretAccessKey"`
		Token  string `xml:"AssumeRoleResult>Credentials>SessionToken"`
	}
	if form.Get("Action") != "AssumeRole" || xml.Unmarshal(answer, &made) != nil || made.ID == "" {
		return
	}
	arn := form.Get("RoleArn")
	tr.keys[made.ID] = roleSession{
		role: arn[strings.LastIndexByte(arn, '/')+1:], name: form.Get("RoleSessionName"), source: form.Get("SourceIdentity"),
		id: made.ID, secret: made.Secret, sessionToken: made.Token,
	}
}

func (s roleSession) identity() map[string]any {
	session := map[string]any{
		"sessionIssuer": map[string]any{"type": "Role", "arn": "arn:aws:iam::" + mototest.Account + ":role/" + s.role, "accountId": mototest.Account, "userName": s.role},
		"attributes":    map[string]any{"mfaAuthenticated": "false", "creationDate": "2026-11-23T12:00:00Z"},
	}
	if s.source != "" {
		session["sourceIdentity"] = s.source
	}
	return map[string]any{
		"type": "AssumedRole", "principalId": "AROAEXAMPLE:" + s.name, "arn": "arn:aws:sts::" + mototest.Account + ":assumed-role/" + s.role + "/" + s.name,
		"accountId": mototest.Account, "accessKeyId": s.id, "sessionContext": session,
	}
}

// session is one that Writ assumed the role for.
func (tr *trail) session(t *testing.T) roleSession {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	for _, s := range tr.keys {
		if strings.HasPrefix(s.name, "ses-") {
			return s
		}
	}
	t.Fatal("the role was assumed for no session")
	return roleSession{}
}

// deliver writes the log so far, as CloudTrail lays it in a bucket.
func (tr *trail) deliver(t *testing.T) string {
	t.Helper()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	dir := filepath.Join(t.TempDir(), "AWSLogs", mototest.Account, "CloudTrail", "eu-west-1", "2026", "11", "23")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	z := gzip.NewWriter(&file)
	if err := json.NewEncoder(z).Encode(map[string]any{"Records": tr.events}); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, mototest.Account+"_CloudTrail_eu-west-1_20261123T1200Z_abc.json.gz"), file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

// past calls AWS with credentials past the edge.
func (tr *trail) past(t *testing.T, s roleSession, args ...string) string {
	t.Helper()
	cmd := exec.Command("aws", append([]string{"--region", "eu-west-1", "--endpoint-url", tr.URL}, args...)...)
	cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID="+s.id, "AWS_SECRET_ACCESS_KEY="+s.secret, "AWS_SESSION_TOKEN="+s.sessionToken)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

// comparison is the JSON of writ audit cloudtrail.
type comparison struct {
	Events, Recorded                      int
	InRoles                               int `json:"in_roles"`
	ByWrit                                int `json:"by_writ"`
	Unrecorded, Unidentified, Undelivered []map[string]any
}

// compared is what writ audit cloudtrail says of a log, once the records are there.
func (c *cloud) compared(log string, recorded int) (report comparison, failed bool) {
	c.t.Helper()
	for range 100 {
		out, err := c.Writ(c.t.Context(), c.Administrator(), "audit", "cloudtrail", log, "-o", "json")
		failed, report = err != nil, comparison{}
		if err := json.Unmarshal([]byte(out), &report); err != nil {
			c.t.Fatalf("%v: %s", err, out)
		}
		if report.Recorded >= recorded {
			break
		}
		time.Sleep(100 * time.Millisecond) // until the edge has shipped its records
	}
	return report, failed
}

// TestCloudTrail compares what AWS logs with what Writ records: an agent's calls have a record each, and what is done past the edge is found.
func TestCloudTrail(t *testing.T) {
	moto := mototest.Start(t)
	tr := newTrail(t, moto.URL)
	c := cloudAt(t, moto, tr.URL)
	for _, call := range [][]string{{"sts", "get-caller-identity"}, {"dynamodb", "list-tables"}, {"s3api", "list-buckets"}, {"sqs", "list-queues"}} {
		if out, err := c.aws(false, call...); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	if _, err := c.aws(false, "iam", "create-user", "--user-name", "mallory"); err == nil {
		t.Error("a forbidden call is made")
	}
	r, failed := c.compared(tr.deliver(t), 4)
	if failed || r.Recorded != 4 || r.Recorded+r.ByWrit != r.InRoles || r.Events <= r.InRoles || len(r.Unrecorded)+len(r.Unidentified)+len(r.Undelivered) > 0 {
		t.Errorf("of a day like any other: %+v", r)
	}

	// The credentials of the session get away, and somebody else assumes the role.
	stolen := tr.session(t)
	tr.past(t, stolen, "sqs", "create-queue", "--queue-name", "past-the-edge")
	stranger := roleSession{id: moto.Key, secret: moto.Secret}
	tr.past(t, stranger, "sts", "assume-role", "--role-arn", "arn:aws:iam::"+mototest.Account+":role/writ-shop", "--role-session-name", "ses-of-mine")
	tr.mu.Lock()
	for _, s := range tr.keys {
		if s.name == "ses-of-mine" {
			stranger = s
		}
	}
	tr.mu.Unlock()
	tr.past(t, stranger, "sts", "get-caller-identity")
	r, failed = c.compared(tr.deliver(t), 4)
	if !failed || r.Recorded != 4 || len(r.Unrecorded) != 1 || len(r.Unidentified) != 1 {
		t.Fatalf("of a day with two thefts: %+v", r)
	}
	if e := r.Unrecorded[0]; e["name"] != "CreateQueue" || e["source_identity"] != "ada@example.com" || e["session"] != stolen.name {
		t.Errorf("past the edge: %+v", e)
	}
	if e := r.Unidentified[0]; e["name"] != "GetCallerIdentity" || e["session"] != "ses-of-mine" {
		t.Errorf("assumed by somebody else: %+v", e)
	}
}
