package sigv4

import (
	"net/http"
	"net/url"
	"strings"
)

// Limits of a request, so that whatever is read costs little. AWS takes headers of 8 KiB (S3) to 16 KiB in all.
const (
	MaxPath   = 16 << 10 // bytes of a raw path
	MaxQuery  = 64 << 10 // bytes of a raw query; presigned URLs of STS carry whole tokens
	MaxParams = 512      // query parameters
	MaxHeader = 128      // names of headers
)

// Request is what is signed of a request, as it is on the wire: nothing decoded, nothing cleaned.
type Request struct {
	Method   string      // in upper case
	Host     string      // the Host header or :authority
	Path     string      // raw, from the first slash on
	RawQuery string      // raw, without the question mark
	Header   http.Header // canonical names, without Host, as net/http's server has them
	Length   int64       // of the body as sent; -1 is unknown
	BodyHash string      // SHA-256 of the body in lower-case hex. Needed only where Payload.Mode is [Absent]
}

// FromHTTP takes a request as net/http's server read it, in origin form or in absolute form, as clients of
// a plain proxy send it and net/http does for a URL with Opaque. It copies no header.
func FromHTTP(r *http.Request) (*Request, error) {
	target := r.RequestURI
	rest, ok := strings.CutPrefix(target, "http://")
	if !ok {
		rest, ok = strings.CutPrefix(target, "https://")
	}
	if ok {
		authority, _, _ := strings.Cut(rest, "/")
		if authority != r.Host || strings.Contains(authority, "@") {
			return nil, refuse(ErrRequest, "request target", "its host is not the Host header's", "")
		}
		target = rest[len(authority):]
	}
	if !strings.HasPrefix(target, "/") {
		return nil, refuse(ErrRequest, "request target", "no path", "")
	}
	path, query, _ := strings.Cut(target, "?")
	return &Request{Method: r.Method, Host: r.Host, Path: path, RawQuery: query, Header: r.Header, Length: r.ContentLength}, nil
}

// URL returns what net/http's client sends as this path and query, byte for byte, over HTTP/1.1 and HTTP/2.
func (r *Request) URL(scheme string) *url.URL {
	u := &url.URL{Scheme: scheme, Host: r.Host, Opaque: r.Path, RawQuery: r.RawQuery}
	if strings.HasPrefix(r.Path, "//") {
		u.Opaque = "//" + r.Host + r.Path // in absolute form, since the path would be read as a host
	}
	return u
}

// field is a header. Names compare in any case.
type field struct {
	name   string
	values []string
}

// fields refuses what two readers could take for different requests, and returns the headers. There is room for what
// signing adds.
func (r *Request) fields() ([]field, error) {
	if !isMethod(r.Method) {
		return nil, refuse(ErrRequest, "method", "not a word in upper case", "")
	}
	if r.Host == "" || !isText(r.Host) || strings.ContainsAny(r.Host, " /?#@,\\") {
		return nil, refuse(ErrRequest, "host", "not a host with an optional port", "")
	}
	if len(r.Header) > MaxHeader {
		return nil, refuse(ErrRequest, "headers", "too many", "")
	}
	all := make([]field, 0, len(r.Header)+6)
	for name, values := range r.Header {
		if err := checkHeader(name, values); err != nil {
			return nil, err
		}
		all = append(all, field{name, values})
	}
	return all, nil
}

func isMethod(s string) bool {
	for i := range len(s) {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return s != "" && len(s) <= 16
}

// checkHeader allows the names that all servers read in the same way, as net/http spells them.
func checkHeader(name string, values []string) error {
	switch {
	case !isHeaderName(name):
		return refuse(ErrRequest, "header name", "one that servers read in several ways", "use letters, digits and hyphens")
	case !isCanonical(name):
		return refuse(ErrRequest, "header "+name, "not in its canonical spelling", "")
	case name == "Host":
		return refuse(ErrRequest, "header Host", "given beside the request's host", "send it once")
	case len(values) == 0:
		return refuse(ErrRequest, "header "+name, "without a value", "")
	case len(values) > 1 && isSingle(name):
		return refuse(ErrRequest, "header "+name, "given more than once", "send it once")
	}
	return nil
}

const metadata = "x-amz-meta-"

// isHeaderName wants letters, digits and hyphens. User-defined metadata of S3 objects may hold any token: SDKs send
// underscores there.
func isHeaderName(s string) bool {
	for i := range len(s) {
		if isAlnum(s[i]) || s[i] == '-' {
			continue
		}
		if i < len(metadata) || !strings.EqualFold(s[:len(metadata)], metadata) || strings.IndexByte("!#$%&'*+.^_`|~", s[i]) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 256
}

// isCanonical reports the spelling of net/http.CanonicalHeaderKey.
func isCanonical(s string) bool {
	upper := true
	for i := range len(s) {
		c := s[i]
		if upper && c >= 'a' && c <= 'z' || !upper && c >= 'A' && c <= 'Z' {
			return false
		}
		upper = c == '-'
	}
	return true
}

// isSingle knows the headers of which a second one would leave open which of the two counts.
func isSingle(name string) bool {
	switch name {
	case "Authorization", "X-Amz-Date", "Date", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "X-Amz-Target", "X-Amz-Region-Set",
		"X-Amz-Decoded-Content-Length", "Content-Type", "Content-Length", "Transfer-Encoding", "X-Amz-Copy-Source",
		"X-Amz-S3session-Token", "X-Amzn-Query-Mode", "Smithy-Protocol":
		return true
	}
	return false
}

// get returns the only value of a header, and whether it is there.
func (r *Request) get(name string) (string, bool) {
	values := r.Header[name]
	if len(values) == 0 {
		return "", false
	}
	return values[0], true
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// isText reports printable ASCII.
func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// decode is the value of a canonical query component.
func decode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	d, err := url.PathUnescape(s)
	if err != nil {
		return s
	}
	return d
}
