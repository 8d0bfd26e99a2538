package awsmask_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/writhq/writ/pkg/awsmask"
)

// event is one event as the SDK writes and reads it.
type event struct {
	kind, name, payload string
	extra               eventstream.Headers
}

func encode(t testing.TB, events ...event) []byte {
	t.Helper()
	var b bytes.Buffer
	enc := eventstream.NewEncoder()
	for _, e := range events {
		m := eventstream.Message{Payload: []byte(e.payload)}
		m.Headers.Set(":message-type", eventstream.StringValue(e.kind))
		m.Headers.Set(map[string]string{"event": ":event-type", "exception": ":exception-type", "error": ":error-code"}[e.kind], eventstream.StringValue(e.name))
		m.Headers = append(m.Headers, e.extra...)
		if err := enc.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// decode reads a stream with the SDK, as "name payload" for each event.
func decode(t testing.TB, b []byte) (all []string) {
	t.Helper()
	r, dec := bytes.NewReader(b), eventstream.NewDecoder()
	for {
		m, err := dec.Decode(r, nil)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatalf("the SDK does not read it: %v", err)
		}
		name := m.Headers.Get(":event-type")
		if name == nil {
			name = m.Headers.Get(":exception-type")
		}
		all = append(all, fmt.Sprint(name, " ", string(m.Payload)))
	}
}

func TestEvents(t *testing.T) {
	for _, c := range []struct {
		operation string
		in        []event
		want      []string
		found     string
	}{
		{"logs:StartLiveTail", []event{
			{kind: "event", name: "initial-response", payload: `{}`},
			{kind: "event", name: "sessionStart", payload: `{"requestId":"ada@example.com"}`},
			{kind: "event", name: "sessionUpdate", payload: `{"sessionResults":[{"message":"from ada@example.com","logStreamName":"s"}]}`},
			{kind: "exception", name: "SessionTimeoutException", payload: `{"message":"over"}`},
		}, []string{`initial-response {}`, `sessionStart {"requestId":"ada@example.com"}`, `sessionUpdate {"sessionResults":[{"message":"from ***","logStreamName":"s"}]}`, `SessionTimeoutException {"message":"over"}`}, "email"},
		{"kinesis:SubscribeToShard", []event{
			{kind: "event", name: "SubscribeToShardEvent", payload: `{"Records":[{"Data":"YWRhQGV4YW1wbGUuY29t","PartitionKey":"p"}],"ContinuationSequenceNumber":"4111111111111111"}`},
		}, []string{`SubscribeToShardEvent {"Records":[{"Data":"Kioq","PartitionKey":"p"}],"ContinuationSequenceNumber":"4111111111111111"}`}, "email"},
		{"s3:SelectObjectContent", []event{
			{kind: "event", name: "Records", payload: "id,mail\n1,ada@exa"}, {kind: "event", name: "Records", payload: "mple.com\n2,4111 1111 "}, {kind: "event", name: "Records", payload: "1111 1111\n"},
			{kind: "event", name: "Stats", payload: "<Stats><BytesReturned>1</BytesReturned></Stats>"}, {kind: "event", name: "End"},
		}, []string{"Records id,mail\n1,***************\n2,*******************\n", "Stats <Stats><BytesReturned>1</BytesReturned></Stats>", "End "}, "card email"},
		{"lambda:InvokeWithResponseStream", []event{
			{kind: "event", name: "PayloadChunk", payload: "mail ada@"}, {kind: "event", name: "PayloadChunk", payload: "example.com"}, {kind: "event", name: "InvokeComplete", payload: `{"LogResult":"YWRhQGV4YW1wbGUuY29t"}`},
		}, []string{"PayloadChunk mail ***************", `InvokeComplete {"LogResult":"Kioq"}`}, "email"},
		{"bedrock-runtime:InvokeModelWithResponseStream", []event{{kind: "event", name: "chunk", payload: `{"bytes":"YWRhQGV4YW1wbGUuY29t"}`}}, []string{`chunk {"bytes":"Kioq"}`}, "email"},
		{"bedrock-runtime:ConverseStream", []event{
			{kind: "event", name: "messageStart", payload: `{"role":"assistant"}`}, {kind: "event", name: "contentBlockDelta", payload: `{"delta":{"text":"ada@example.com"},"contentBlockIndex":0}`},
		}, []string{`messageStart {"role":"assistant"}`, `contentBlockDelta {"delta":{"text":"***"},"contentBlockIndex":0}`}, "email"},
	} {
		service, operation, _ := strings.Cut(c.operation, ":")
		m := looking(t, service, operation)
		if m.Form() != awsmask.Events {
			t.Errorf("%s is no stream", c.operation)
			continue
		}
		var out bytes.Buffer
		masked, err := m.Events(&out, bytes.NewReader(encode(t, c.in...)))
		if got := strings.Join(decode(t, out.Bytes()), "|"); err != nil || got != strings.Join(c.want, "|") || strings.Join(masked, " ") != c.found {
			t.Errorf("%s: %q, %q, %v", c.operation, got, masked, err)
		}
	}
}

// A class on an event hides it, with its headers of any type; other headers stay.
func TestHiddenEvents(t *testing.T) {
	in := encode(t, event{kind: "event", name: "Records", payload: "1,secret\n", extra: eventstream.Headers{{Name: "other", Value: eventstream.TimestampValue(time.Unix(1, 0))}}})
	var out bytes.Buffer
	masked, err := masker(t, "s3", "SelectObjectContent", "Payload.Records.Payload").Events(&out, bytes.NewReader(in))
	if got := strings.Join(decode(t, out.Bytes()), "|"); err != nil || got != "Records ***" || len(masked) != 1 {
		t.Errorf("%q, %q, %v", got, masked, err)
	}
	if n := bytes.Count(out.Bytes(), []byte("other")); n != 1 {
		t.Errorf("a header is there %d times", n)
	}
	out.Reset()
	m := masker(t, "sagemaker-runtime", "InvokeEndpointWithResponseStream", "Body.PayloadPart")
	if _, err := m.Events(&out, bytes.NewReader(encode(t, event{kind: "event", name: "PayloadPart", payload: "secret"}))); err != nil || strings.Contains(out.String(), "secret") {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// A stream ends at what is not understood, and nothing of that is passed on.
func TestBadEvents(t *testing.T) {
	m := looking(t, "logs", "StartLiveTail")
	good := encode(t, event{kind: "event", name: "sessionStart", payload: `{}`})
	second := encode(t, event{kind: "event", name: "sessionUpdate", payload: `{"sessionResults":[{"message":"ada@example.com"}]}`})
	flip := func(i int) []byte {
		b := bytes.Clone(second)
		b[(i+len(b))%len(b)] ^= 1
		return b
	}
	for name, bad := range map[string][]byte{
		"length": flip(3), "length of headers": flip(7), "checksum of the prelude": flip(9), "header": flip(14), "payload": flip(-10), "checksum": flip(-1),
		"cut prelude": second[:7], "cut": second[:len(second)-2],
		"unknown event": encode(t, event{kind: "event", name: "sessionLeak", payload: `{"message":"ada@example.com"}`}),
		"no JSON":       encode(t, event{kind: "event", name: "sessionUpdate", payload: `{"sessionResults":`}),
		"two names":     encode(t, event{kind: "event", name: "sessionUpdate", payload: `{}`, extra: eventstream.Headers{{Name: ":event-type", Value: eventstream.StringValue("sessionStart")}}}),
	} {
		var out bytes.Buffer
		_, err := m.Events(&out, bytes.NewReader(append(bytes.Clone(good), bad...)))
		if !errors.Is(err, awsmask.ErrMalformed) && !errors.Is(err, awsmask.ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(out.Bytes(), good) {
			t.Errorf("%s: %q is passed on", name, out.Bytes())
		}
	}
	small, err := awsmask.New(awsmask.Config{Answer: call(t, "logs", "StartLiveTail").Answer(), Fields: redact("responseStream.sessionUpdate.sessionResults"), MaxDocument: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := small.Events(io.Discard, bytes.NewReader(second)); !errors.Is(err, awsmask.ErrTooLarge) {
		t.Errorf("a large event: %v", err)
	}
}

// FuzzEvents: what is passed on is a stream for the SDK too.
func FuzzEvents(f *testing.F) {
	f.Add(encode(f, event{kind: "event", name: "Records", payload: "ada@exa"}, event{kind: "event", name: "Records", payload: "mple.com"}, event{kind: "event", name: "End"}))
	f.Add(encode(f, event{kind: "exception", name: "x"}, event{kind: "error", name: "y"}))
	m := looking(f, "s3", "SelectObjectContent")
	f.Fuzz(func(t *testing.T, in []byte) {
		var out bytes.Buffer
		_, err := m.Events(&out, bytes.NewReader(in))
		if err == nil && len(in) > 0 && out.Len() == 0 {
			for _, e := range decode(t, in) {
				if !strings.HasSuffix(e, " ") {
					t.Fatalf("nothing is passed on of %q", in)
				}
			}
		}
		decode(t, out.Bytes())
	})
}
