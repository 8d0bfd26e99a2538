package aws

import (
	"bytes"
	"compress/gzip"
	"context"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"
	"github.com/aws/smithy-go/encoding/cbor"
	"golang.org/x/sync/semaphore"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/awsmodel"
)

// reply is what the emulation of AWS answers next.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// newWire makes an edge before what answers as it is told.
func newWire(t *testing.T, classes map[string][]string) (*bed, func(reply)) {
	t.Helper()
	var next atomic.Pointer[reply]
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		r := next.Load()
		for name, values := range r.header {
			w.Header()[name] = values
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(r.body)))
		w.WriteHeader(r.status)
		_, _ = w.Write(r.body)
	}))
	t.Cleanup(upstream.Close)
	b := newBedBefore(t, &bed{classes: classes}, upstream.URL, enforce.AWSKeys{KeyID: "AKIAUPSTREAM", Secret: []byte("secret")})
	b.Policies.Set(t, permitAll+maskSecrets+maskPII)
	return b, func(r reply) { next.Store(&r) }
}

// rpc is a call of a service in a protocol of its own.
func rpc(service, target, body string) attempt {
	return attempt{method: http.MethodPost, path: "/", service: service, header: http.Header{"X-Amz-Target": {target}, "Content-Type": {"application/x-amz-json-1.1"}}, body: body}
}

func packedBy(t *testing.T, body string) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write([]byte(body))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

func event(t *testing.T, name, payload string) []byte {
	t.Helper()
	var out bytes.Buffer
	m := eventstream.Message{Payload: []byte(payload)}
	m.Headers.Set(":message-type", eventstream.StringValue("event"))
	m.Headers.Set(":event-type", eventstream.StringValue(name))
	if err := eventstream.NewEncoder().Encode(&out, m); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestMaskedOnTheWire: what is packed is unpacked, CBOR and streams of events are masked, and what cannot be read is withheld.
func TestMaskedOnTheWire(t *testing.T) {
	b, answer := newWire(t, map[string][]string{"pii": {"cloudwatch:DescribeAlarms:MetricAlarms[*].AlarmDescription"}, "lost": {"dynamodb:DescribeTable:Table.Nothing"}})
	secret := rpc("secretsmanager", "secretsmanager.GetSecretValue", `{"SecretId":"x"}`)
	tail := rpc("logs", "Logs_20140328.StartLiveTail", `{"logGroupIdentifiers":["arn:aws:logs:eu-west-1:123456789012:log-group:x"]}`)
	alarms := attempt{
		method: http.MethodPost, path: "/service/GraniteServiceVersion20100801/operation/DescribeAlarms", service: "monitoring",
		header: http.Header{"Smithy-Protocol": {"rpc-v2-cbor"}, "Content-Type": {"application/cbor"}, "Accept": {"application/cbor"}}, body: "\xa0",
	}
	invoke := attempt{method: http.MethodPost, path: "/2015-03-31/functions/f/invocations", service: "lambda", header: http.Header{}, body: `{}`}
	json := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Crc32": {"1"}}
	for _, c := range []struct {
		name    string
		ask     attempt
		answer  reply
		status  int
		has     string
		without string
	}{
		{"plain", secret, reply{200, json, []byte(`{"SecretString":"hunter2"}`)}, 200, `{"SecretString":"***"}`, "hunter2"},
		{"packed", secret, reply{200, http.Header{"Content-Encoding": {"gzip"}}, packedBy(t, `{"SecretString":"hunter2"}`)}, 200, `{"SecretString":"***"}`, "hunter2"},
		{"packed otherwise", secret, reply{200, http.Header{"Content-Encoding": {"br"}}, []byte("hunter2")}, 403, "writ:", "hunter2"},
		{"packed, and no gzip", secret, reply{200, http.Header{"Content-Encoding": {"gzip"}}, []byte("hunter2")}, 403, "withheld", "hunter2"},
		{"a bomb", secret, reply{200, http.Header{"Content-Encoding": {"gzip"}}, packedBy(t, `{"SecretString":"`+strings.Repeat("hunter2", 4<<20)+`"}`)}, 403, "too large", "hunter2"},
		{"no JSON", secret, reply{200, json, []byte(`<html>hunter2</html>`)}, 403, "withheld", "hunter2"},
		{"cut off", secret, reply{200, json, []byte(`{"SecretString":"hunter2`)}, 403, "withheld", "hunter2"},
		{"an error", secret, reply{400, json, []byte(`{"__type":"ResourceNotFoundException","Message":"gone"}`)}, 400, `"gone"`, "***"},
		{"CBOR", alarms, reply{200, http.Header{"Content-Type": {"application/cbor"}, "Smithy-Protocol": {"rpc-v2-cbor"}}, cbor.Encode(cbor.Map{"MetricAlarms": cbor.List{cbor.Map{"AlarmDescription": cbor.String("hunter2000"), "AlarmName": cbor.String("kept")}}})}, 200, "kept", "hunter"},
		{"events", tail, reply{200, http.Header{"Content-Type": {"application/vnd.amazon.eventstream"}}, append(event(t, "sessionStart", `{"sessionId":"s-1"}`), event(t, "sessionUpdate", `{"sessionResults":[{"message":"mail ada@example.com"}]}`)...)}, 200, `"message":"mail ***"`, "ada@"},
		{"a function", invoke, reply{200, http.Header{"X-Amz-Log-Result": {"YWRhQGV4YW1wbGUuY29t"}}, []byte(`{"to":"ada@example.com"}`)}, 200, `{"to":"***************"}`, "ada@"},
		{"a function that is packed", invoke, reply{200, http.Header{"Content-Encoding": {"gzip"}}, packedBy(t, `{"to":"ada@example.com"}`)}, 200, `{"to":"***************"}`, "ada@"},
		{"a function that fails", invoke, reply{500, json, []byte(`{"message":"Rate exceeded"}`)}, 500, "Rate exceeded", "***"},
		{"a class that leads nowhere", rpc("dynamodb", "DynamoDB_20120810.DescribeTable", `{"TableName":"t"}`), reply{200, json, []byte(`{}`)}, 403, "does not answer", "Nothing"},
		{"an error that holds data", rpc("dynamodb", "DynamoDB_20120810.DeleteItem", `{"TableName":"t","Key":{"k":{"S":"1"}}}`), reply{400, json, []byte(`{"__type":"x#ConditionalCheckFailedException","Item":{"e":{"S":"ada@example.com"}}}`)}, 400, `{"S":"***"}`, "ada@"},
	} {
		answer(c.answer)
		status, body := b.send(c.ask)
		if status != c.status || !strings.Contains(body, c.has) || strings.Contains(body, c.without) {
			t.Errorf("%s: %d %q", c.name, status, body[:min(len(body), 500)])
		}
		if b.Records.Contain("hunter2") {
			t.Errorf("%s: a record shows it", c.name)
		}
	}
}

// TestBadEventEndsTheAnswer: what came before it passes, and the client is not told that the answer is whole.
func TestBadEventEndsTheAnswer(t *testing.T) {
	b, answer := newWire(t, nil)
	good := event(t, "sessionStart", `{"sessionId":"s-1"}`)
	answer(reply{200, http.Header{"Content-Type": {"application/vnd.amazon.eventstream"}}, append(good, "ada@example.com is no event and long enough for a prelude"...)})
	_, body, err := b.open(rpc("logs", "Logs_20140328.StartLiveTail", `{"logGroupIdentifiers":["arn:aws:logs:eu-west-1:123456789012:log-group:x"]}`))
	if err == nil || body != string(good) {
		t.Errorf("%q, %v", body, err)
	}
}

// TestRoomForAnswers: what is held of answers is bounded together with what is held of requests.
func TestRoomForAnswers(t *testing.T) {
	s := &Server{cfg: Config{MaxBuffers: 10}, buffers: semaphore.NewWeighted(10)}
	first, second := &exchange{server: s}, &exchange{server: s}
	if err := first.exchangeBuffer(t.Context(), 100); err != nil || first.buffered != 10 {
		t.Fatalf("%d, %v", first.buffered, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := second.exchangeBuffer(over, 1); err == nil {
		t.Error("there is room beyond the bound")
	}
	if err := first.exchangeBuffer(t.Context(), 4); err != nil || first.buffered != 4 {
		t.Errorf("%d, %v", first.buffered, err)
	}
	if err := second.exchangeBuffer(t.Context(), 6); err != nil {
		t.Error(err)
	}
	model, err := awsmodel.Open()
	if err != nil {
		t.Fatal(err)
	}
	call, err := model.Answers("secretsmanager", "GetSecretValue")
	if err != nil {
		t.Fatal(err)
	}
	s = &Server{cfg: Config{MaxBuffers: 100, MaxBuffer: 100}, buffers: semaphore.NewWeighted(100)}
	x := &exchange{server: s}
	if x.masks, err = awsmask.New(awsmask.Config{Answer: call.Answer()}); err != nil {
		t.Fatal(err)
	}
	if err := x.maskDocument(t.Context(), strings.NewReader(`{"Name":"x"}`), false, &body{length: -1}); err != nil || x.buffered != 12 || !s.buffers.TryAcquire(88) {
		t.Errorf("an answer of 12 bytes keeps %d, %v", x.buffered, err)
	}
}

// TestEventsAreDecidedAgain: a policy that changes stops a stream that runs.
func TestEventsAreDecidedAgain(t *testing.T) {
	more := make(chan []byte)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.amazon.eventstream")
		for text := range more {
			_, _ = w.Write(text)
			_ = http.NewResponseController(w).Flush()
		}
	}))
	t.Cleanup(upstream.Close)
	b := newBedBefore(t, &bed{}, upstream.URL, enforce.AWSKeys{KeyID: "AKIAUPSTREAM", Secret: []byte("secret")})
	first, second := event(t, "sessionStart", `{"sessionId":"s-1"}`), event(t, "sessionUpdate", `{"sessionResults":[{"message":"later"}]}`)
	go func() {
		defer close(more)
		more <- first // once the call is with AWS
		b.Policies.Set(t, `@id("none") forbid (principal, action, resource);`)
		more <- second
	}()
	_, body, err := b.open(rpc("logs", "Logs_20140328.StartLiveTail", `{"logGroupIdentifiers":["arn:aws:logs:eu-west-1:123456789012:log-group:x"]}`))
	if err == nil || strings.Contains(body, "later") {
		t.Errorf("%q, %v", body, err)
	}
}
