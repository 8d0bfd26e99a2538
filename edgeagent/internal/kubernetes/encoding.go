package kubernetes

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"

	"github.com/writhq/writ/pkg/kubemask"
)

// encoding says how an answer comes from the API server: as it is, or compressed, which for lists takes the API server less
// than to write them out. It compresses what is larger than 128 KB.
type encoding int

const (
	plain    encoding = iota
	unpacked          // compressed up to here
	packed            // compressed up to the client, who asked for it; nothing here reads it
)

const gzipped = "gzip"

func encodingOf(x *exchange, masker *kubemask.Masker) encoding {
	switch {
	case x.r.Verb != "get" && x.r.Verb != "list", x.r.Subresource != "", !x.r.IsResource, x.r.Method == http.MethodHead:
		return plain
	case masker != nil, x.flight.RecordRows(), !acceptsGzip(x.req.Header):
		return unpacked
	}
	return packed
}

func acceptsGzip(h http.Header) bool {
	return slices.ContainsFunc(h["Accept-Encoding"], func(value string) bool {
		for part := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(part), gzipped) {
				return true
			}
		}
		return false
	})
}

// ask sets what the API server is told of it.
func (e encoding) ask(h http.Header) {
	if e != plain {
		h["Accept-Encoding"] = []string{gzipped}
	}
}

var errEncoded = errors.New("encoded otherwise than asked")

// open returns the body as it is to be read: the answer's own, or what it unpacks to. Errors wrap errEncoded.
func (e encoding) open(resp *http.Response) (io.Reader, error) {
	switch values := resp.Header["Content-Encoding"]; {
	case len(values) == 0, resp.StatusCode == http.StatusNotModified, len(values) == 1 && strings.EqualFold(values[0], "identity"):
		return resp.Body, nil
	case len(values) > 1 || values[0] != gzipped || e == plain:
		return nil, fmt.Errorf("%w: %q", errEncoded, values)
	case e == packed && resp.StatusCode < 300:
		return resp.Body, nil
	}
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errEncoded, err)
	}
	return z, nil
}
