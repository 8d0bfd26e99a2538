package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/sigv4"
)

// previewer returns how AWS is asked whether it would do the call: the same call with DryRun, which EC2 checks and does not do. It is nil
// where there is no such way.
func (x *exchange) previewer() func(context.Context, *enforce.Command, enforce.Look) (enforce.Preview, bool) {
	if !x.call.DryRun || x.call.Protocol != awsmodel.EC2 || x.signed.Method != http.MethodPost || !x.whole || x.rehearses() {
		return nil
	}
	return func(ctx context.Context, _ *enforce.Command, look enforce.Look) (enforce.Preview, bool) {
		answer, err := x.rehearse(ctx, look)
		var d *enforce.Denied
		switch {
		case x.req.Context().Err() != nil:
			return enforce.Preview{}, true
		case errors.As(err, &d):
			answer = "no dry run: " + d.Reason
		case err != nil:
			x.server.log.Debug("dry run", "session", x.client.session.ID(), "error", err)
			answer = "no dry run: AWS did not say"
		}
		return enforce.Preview{Detail: answer}, false
	}
}

// rehearses says that the call itself asks for DryRun.
func (x *exchange) rehearses() bool {
	return x.call.DryRun && x.params.Get("DryRun").Text == "true"
}

// rehearsal is the call with DryRun.
func (x *exchange) rehearsal() *exchange {
	peek := *x
	peek.flight, peek.buffered = nil, 0
	peek.held = []byte(dryRunForm(string(x.held)))
	peek.values = slices.DeleteFunc(slices.Clone(x.values), func(v value) bool { return v.path == "DryRun" })
	peek.values = append(peek.values, value{path: "DryRun", text: "true"})
	others := slices.DeleteFunc(slices.Clone(x.params.Fields), func(f awsmodel.Field) bool { return f.Name == "DryRun" })
	peek.params.Fields = append(others, awsmodel.Field{Name: "DryRun", Value: awsmodel.Value{Kind: awsmodel.Bool, Text: "true"}})
	return &peek
}

// dryRunForm is a form with DryRun instead of what it says of that.
func dryRunForm(form string) string {
	var out []string
	for pair := range strings.SplitSeq(form, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if decoded, err := url.QueryUnescape(name); err == nil && decoded == "DryRun" {
			continue
		}
		out = append(out, pair)
	}
	return strings.Join(append(out, "DryRun=true"), "&")
}

// rehearse sends the call with DryRun, where policy lets it, and returns what AWS says to it.
func (x *exchange) rehearse(ctx context.Context, look enforce.Look) (string, error) {
	peek := x.rehearsal()
	var err error
	peek.flight, err = look(&enforce.Command{Subject: peek.subject(), Digest: peek.digest(), Text: peek.rendered(), Rehearsal: true})
	if err != nil {
		return "", err
	}
	outcome := enforce.Outcome{Cut: "it was not answered"}
	defer func() { peek.flight.End(outcome) }()
	resp, err := peek.sendHeld(ctx)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	outcome = outcomeOf(resp)
	code, message, err := verdictOf(resp)
	outcome.ErrorCode = code
	if err != nil {
		return "", err
	}
	return "AWS's dry run: " + code + ": " + message, nil
}

// Bounds of an answer to a dry run and of what is shown of it, in bytes.
const (
	maxVerdict     = 64 << 10
	maxVerdictText = 1000
)

var errVerdict = errors.New("AWS did not answer as it does to a dry run")

// verdictOf reads EC2's answer to a dry run, which is an error in any case: DryRunOperation means that it would have done the call.
func verdictOf(resp *http.Response) (code, message string, err error) {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxVerdict))
	if err != nil {
		return "", "", fmt.Errorf("read the answer: %w", err)
	}
	var answer struct {
		Errors []struct{ Code, Message string } `xml:"Errors>Error"`
	}
	if err := xml.Unmarshal(text, &answer); err != nil || len(answer.Errors) != 1 || resp.StatusCode < 400 {
		return "", "", errVerdict
	}
	one := answer.Errors[0]
	return clip(one.Code), clip(one.Message), nil
}

func clip(s string) string {
	s = strings.ToValidUTF8(s, "?")
	if len(s) > maxVerdictText {
		s = strings.ToValidUTF8(s[:maxVerdictText], "") + "..."
	}
	return s
}

// sendHeld signs and sends the call with the body that is held.
func (x *exchange) sendHeld(ctx context.Context) (*http.Response, error) {
	keys, err := x.client.out.keys(ctx)
	if err != nil {
		return nil, err
	}
	host, path, err := x.target()
	if err != nil {
		return nil, err
	}
	header := x.verified.Forward()
	for _, name := range []string{"Content-Md5", "Content-Length"} { // of another body
		header.Del(name)
	}
	header.Set("User-Agent", "writ-edge")
	up := &sigv4.Request{Method: x.signed.Method, Host: host, Path: path, RawQuery: x.said.Query, Header: header, Length: int64(len(x.held))}
	sum := sha256.Sum256(x.held)
	signed, err := x.server.signer.Sign(up, keys, sigv4.Target{Service: x.said.Scope.Service, Region: x.said.Scope.Region}, hex.EncodeToString(sum[:]), x.server.cfg.Clock())
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	signed.Set(header)
	req := (&http.Request{
		Method: up.Method, URL: up.URL(x.client.account.scheme()), Host: host, Header: header, Body: io.NopCloser(strings.NewReader(string(x.held))), ContentLength: up.Length,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if err := x.flight.Ready(); err != nil {
		return nil, err
	}
	resp, err := x.client.out.way(req).RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreachable, err)
	}
	return resp, nil
}
