package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/webhook"
)

var at = time.Unix(1674087231, 0)

func clock() time.Time { return at }

func secret(t testing.TB, fill byte) webhook.Secret {
	t.Helper()
	s, err := webhook.ParseSecret(webhook.SecretPrefix + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The example of the Standard Webhooks specification: its secret, id, time and body give its signature.
func TestStandardExample(t *testing.T) {
	s, err := webhook.ParseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
	if err != nil {
		t.Fatal(err)
	}
	body := []byte(`{"test": 2432232314}`)
	h, err := webhook.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), body, s)
	if err != nil {
		t.Fatal(err)
	}
	if h.Signature != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" || h.Timestamp != "1614265330" {
		t.Errorf("got %+v", h)
	}
}

func TestSignatureIsWhatTheSchemeSays(t *testing.T) {
	body := []byte(`{"a":1}`)
	h, err := webhook.Sign("evt-1", at, body, secret(t, 7), secret(t, 8))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, fill := range []byte{7, 8} {
		m := hmac.New(sha256.New, bytes.Repeat([]byte{fill}, 32))
		fmt.Fprintf(m, "evt-1.%d.%s", at.Unix(), body)
		want = append(want, "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	}
	if h.Signature != strings.Join(want, " ") {
		t.Errorf("got %q, want %q", h.Signature, want)
	}
}

func TestVerify(t *testing.T) {
	body := []byte(`{"a":1}`)
	old, young, other := secret(t, 1), secret(t, 2), secret(t, 3)
	both, err := webhook.Sign("evt-1", at, body, young, old)
	if err != nil {
		t.Fatal(err)
	}
	with := func(change func(*webhook.Headers)) webhook.Headers {
		h := both
		change(&h)
		return h
	}
	after := func(d time.Duration) func() time.Time { return func() time.Time { return at.Add(d) } }
	for name, c := range map[string]struct {
		secrets []webhook.Secret
		headers webhook.Headers
		body    string
		now     func() time.Time
		want    error
	}{
		"old receiver":       {[]webhook.Secret{old}, both, `{"a":1}`, clock, nil},
		"new receiver":       {[]webhook.Secret{young}, both, `{"a":1}`, clock, nil},
		"receiver with two":  {[]webhook.Secret{other, old}, both, `{"a":1}`, clock, nil},
		"other secret":       {[]webhook.Secret{other}, both, `{"a":1}`, clock, webhook.ErrSignature},
		"no secret":          {nil, both, `{"a":1}`, clock, webhook.ErrSignature},
		"zero secret":        {[]webhook.Secret{{}}, both, `{"a":1}`, clock, webhook.ErrSignature},
		"tampered body":      {[]webhook.Secret{old}, both, `{"a":2}`, clock, webhook.ErrSignature},
		"cut body":           {[]webhook.Secret{old}, both, `{"a":1`, clock, webhook.ErrSignature},
		"other id":           {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.ID = "evt-2" }), `{"a":1}`, clock, webhook.ErrSignature},
		"other time":         {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.Timestamp = fmt.Sprint(at.Unix() + 1) }), `{"a":1}`, clock, webhook.ErrSignature},
		"replayed":           {[]webhook.Secret{old}, both, `{"a":1}`, after(5*time.Minute + time.Second), webhook.ErrTimestamp},
		"late, but in time":  {[]webhook.Secret{old}, both, `{"a":1}`, after(5 * time.Minute), nil},
		"from the future":    {[]webhook.Secret{old}, both, `{"a":1}`, after(-6 * time.Minute), webhook.ErrTimestamp},
		"no id":              {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.ID = "" }), `{"a":1}`, clock, webhook.ErrMalformed},
		"id with a dot":      {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.ID = "evt-1.5" }), `{"a":1}`, clock, webhook.ErrMalformed},
		"no signature":       {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.Signature = "" }), `{"a":1}`, clock, webhook.ErrMalformed},
		"time with a plus":   {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.Timestamp = "+" + h.Timestamp }), `{"a":1}`, clock, webhook.ErrMalformed},
		"no time":            {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.Timestamp = "" }), `{"a":1}`, clock, webhook.ErrMalformed},
		"other version":      {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.Signature = strings.ReplaceAll(h.Signature, "v1,", "v1a,") }), `{"a":1}`, clock, webhook.ErrSignature},
		"empty signature":    {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.Signature = "v1," }), `{"a":1}`, clock, webhook.ErrSignature},
		"a flood of them":    {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.Signature = strings.Repeat("v1,AAAA ", 1000) }), `{"a":1}`, clock, webhook.ErrMalformed},
		"unknown then known": {[]webhook.Secret{old}, with(func(h *webhook.Headers) { h.Signature = "v9,xyz " + h.Signature }), `{"a":1}`, clock, nil},
	} {
		t.Run(name, func(t *testing.T) {
			err := webhook.Verifier{Secrets: c.secrets, Now: c.now}.Verify(c.headers, []byte(c.body))
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestSecretsThatAreRefused(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(make([]byte, 65))
	for name, text := range map[string]string{
		"empty": "", "no prefix": base64.StdEncoding.EncodeToString(make([]byte, 32)), "short": "whsec_QUJD",
		"long": "whsec_" + long, "not base64": "whsec_" + strings.Repeat("!", 40),
	} {
		_, err := webhook.ParseSecret(text)
		if !errors.Is(err, webhook.ErrSecret) {
			t.Errorf("%s: %v", name, err)
		}
		if len(text) > 6 && strings.Contains(err.Error(), text[6:]) {
			t.Errorf("%s: the error quotes the secret", name)
		}
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	s := secret(t, 'k')
	shown := fmt.Sprint(s) + fmt.Sprintf("%v %+v %#v %s", s, s, s, s)
	if strings.Contains(shown, "kkk") || strings.Contains(shown, "a2tr") || strings.Contains(shown, "107") {
		t.Error(shown)
	}
	if text, err := json.Marshal(s); err == nil {
		t.Errorf("encoded as %s", text)
	}
}

func TestSignRefuses(t *testing.T) {
	s := secret(t, 1)
	for name, sign := range map[string]func() (webhook.Headers, error){
		"no secret":        func() (webhook.Headers, error) { return webhook.Sign("evt-1", at, nil) },
		"zero secret":      func() (webhook.Headers, error) { return webhook.Sign("evt-1", at, nil, webhook.Secret{}) },
		"too many secrets": func() (webhook.Headers, error) { return webhook.Sign("evt-1", at, nil, s, s, s, s, s) },
		"no id":            func() (webhook.Headers, error) { return webhook.Sign("", at, nil, s) },
		"id with a dot":    func() (webhook.Headers, error) { return webhook.Sign("evt.1", at, nil, s) },
		"id with a line":   func() (webhook.Headers, error) { return webhook.Sign("evt\n1", at, nil, s) },
	} {
		if h, err := sign(); err == nil {
			t.Errorf("%s: %+v", name, h)
		}
	}
}

// Whatever the headers, a body is accepted only with the one signature that its secret gives.
func FuzzVerify(f *testing.F) {
	s := secret(f, 9)
	body := []byte(`{"a":1}`)
	good, err := webhook.Sign("evt-1", at, body, s)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.ID, good.Timestamp, good.Signature, body)
	f.Add("evt-1", "1674087231", "v1,", body)
	f.Add("evt-1", "-1", "v1,AAAA v1a,BBBB", []byte(nil))
	f.Fuzz(func(t *testing.T, id, timestamp, signature string, body []byte) {
		err := webhook.Verifier{Secrets: []webhook.Secret{s}, Now: clock}.Verify(webhook.Headers{ID: id, Timestamp: timestamp, Signature: signature}, body)
		if err != nil {
			return
		}
		m := hmac.New(sha256.New, bytes.Repeat([]byte{9}, 32))
		m.Write([]byte(id + "." + timestamp + "."))
		m.Write(body)
		if !strings.Contains(strings.NewReplacer("\n", "", "\r", "").Replace(signature), base64.StdEncoding.EncodeToString(m.Sum(nil))) {
			t.Errorf("accepted %q for %q", signature, body)
		}
	})
}
