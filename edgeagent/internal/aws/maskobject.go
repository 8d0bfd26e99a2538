package aws

import (
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/awsmask"
)

// prepare makes what masks the answer, and refuses before AWS is asked what could not be masked then.
func (x *exchange) prepare() (err error) {
	if x.masks, err = x.masker(); err != nil {
		return err
	}
	if x.call.Service != "s3" || !x.call.OutputBlob || x.masks.Form() != awsmask.Object {
		return nil
	}
	if _, _, hidden := x.masks.Hidden(false); hidden {
		return &enforce.Denied{Cause: enforce.CauseMasked, Reason: "what the object holds is masked for you", Next: "ask for a policy that lets you reveal it"}
	}
	query, err := url.ParseQuery(x.said.Query)
	if err != nil {
		return err
	}
	for name, why := range map[string]string{
		"partNumber": "part by part values could be cut in two", "response-content-encoding": "its encoding is to be known",
	} {
		if query.Has(name) {
			return &enforce.Denied{Cause: enforce.CauseMasked, Reason: "objects are searched for what is masked, and with " + name + " " + why, Next: "get the object by ranges of bytes, or whole"}
		}
	}
	x.part = partOf(x.header)
	return nil
}

// maskObject says how a text or bytes pass that are the whole body.
func (x *exchange) maskObject(resp *http.Response, b *body) error {
	json := strings.Contains(resp.Header.Get("Content-Type"), "json")
	if placeholder, name, hidden := x.masks.Hidden(json); hidden {
		changed(resp.Header)
		resp.Header.Del("Content-Encoding")
		b.masked = append(b.masked, name)
		b.length = int64(len(placeholder))
		b.pass = func() (int64, error) { return x.copy(bytes.NewReader(placeholder)) }
		return nil
	}
	w, total, ok := x.part.window(resp)
	if !ok {
		return &enforce.Denied{Cause: enforce.CauseMasked, Reason: "AWS answered with a part of the object that was not asked for", Next: "get the object whole"}
	}
	changed(resp.Header)
	if resp.StatusCode == http.StatusPartialContent {
		if w.From >= w.To {
			x.noSuchPart(resp, b, total)
			return nil
		}
		b.length = w.To - w.From
		resp.Header.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", w.From, w.To-1, total))
	}
	if packed(resp.Header) {
		b.length = -1
		if resp.StatusCode == http.StatusPartialContent {
			return &enforce.Denied{Cause: enforce.CauseMasked, Reason: "objects are searched for what is masked, and a part of a packed one cannot be", Next: "get the object whole"}
		}
	}
	src, err := x.unpacked(resp)
	if err != nil {
		return err
	}
	b.pass = func() (n int64, err error) {
		masked, n, err := x.masks.Object(x.w, src, w)
		b.masked = append(b.masked, masked...)
		return n, err
	}
	return nil
}

// noSuchPart answers as S3 does when nothing of the object is in the range: something was only because more was asked for.
func (x *exchange) noSuchPart(resp *http.Response, b *body, total int64) {
	const text = xml.Header + "<Error><Code>InvalidRange</Code><Message>The requested range is not satisfiable</Message></Error>"
	resp.StatusCode = http.StatusRequestedRangeNotSatisfiable
	resp.Header.Set("Content-Range", fmt.Sprintf("bytes */%d", total))
	resp.Header.Set("Content-Type", "application/xml")
	b.length = int64(len(text))
	b.pass = func() (int64, error) { return x.copy(strings.NewReader(text)) }
}

// encodings are those that a body says it has. The one of chunked uploads says nothing of what is stored.
func encodings(h http.Header) (all []string) {
	for _, line := range h["Content-Encoding"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = strings.ToLower(strings.TrimSpace(name)); name != "" && name != "identity" && name != "aws-chunked" {
				all = append(all, name)
			}
		}
	}
	return all
}

func packed(h http.Header) bool { return len(encodings(h)) > 0 }

// unpacked returns the body as it is to be read, and takes the encoding out of the headers. What is not packed by gzip is refused.
func (x *exchange) unpacked(resp *http.Response) (io.Reader, error) {
	switch all := encodings(resp.Header); {
	case len(all) == 0:
		return resp.Body, nil
	case len(all) > 1 || all[0] != "gzip":
		return nil, &enforce.Denied{Cause: enforce.CauseMasked, Reason: "the answer is searched for what is masked, and is packed in a way that is not read here", Next: "ask for a policy that lets you reveal it"}
	}
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		return nil, unmaskable(err)
	}
	resp.Header.Del("Content-Encoding")
	return z, nil
}
