package sigv4

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxExpires is how long a presigned URL may hold. Source: the S3 API Reference, "Authenticating Requests: Using Query
// Parameters".
const MaxExpires = 7 * 24 * time.Hour

// DefaultExpires holds for services other than S3 when a presigned URL does not say how long it holds, as SDKs leave
// it for STS.
const DefaultExpires = 15 * time.Minute

// Query parameters of presigned requests.
const (
	qAlgorithm     = "X-Amz-Algorithm"
	qCredential    = "X-Amz-Credential"
	qDate          = "X-Amz-Date"
	qExpires       = "X-Amz-Expires"
	qSignedHeaders = "X-Amz-SignedHeaders"
	qSignature     = "X-Amz-Signature"
	qToken         = "X-Amz-Security-Token"
	qRegionSet     = "X-Amz-Region-Set"
	qContent       = "X-Amz-Content-Sha256"
)

var authParams = []string{
	qAlgorithm, qCredential, qDate, qExpires, qSignedHeaders, qSignature, qToken, qRegionSet, qContent,
}

// authParam returns the name of the parameter that signs, in whatever case it is written, or "".
func authParam(name string) string {
	if len(name) < len(qDate) || !strings.EqualFold(name[:len("X-Amz-")], "X-Amz-") {
		return ""
	}
	for _, p := range authParams {
		if strings.EqualFold(name, p) {
			return p
		}
	}
	return ""
}

func findAuth(params []param) string {
	for _, p := range params {
		if name := authParam(p.name); name != "" {
			return name
		}
	}
	return ""
}

// readQuery reads the parameters of a presigned request.
func (a *Authorization) readQuery(r *Request) error {
	a.Presigned = true
	values, err := authValues(a.params)
	if err != nil {
		return err
	}
	for _, name := range [...]string{qDate, qToken, qRegionSet} {
		if _, ok := r.get(name); ok {
			return refuse(ErrQueryForm, "header "+name, "given beside presigned parameters", "leave it out")
		}
	}
	a.Algorithm = Algorithm(values[qAlgorithm])
	if a.Algorithm != HMAC && a.Algorithm != ECDSA {
		return refuse(ErrQueryForm, "query parameter "+qAlgorithm, "neither "+string(HMAC)+" nor "+string(ECDSA), "")
	}
	var ok bool
	if a.KeyID, a.Scope, ok = parseCredential(values[qCredential], a.Algorithm); !ok {
		return refuse(ErrQueryForm, "query parameter "+qCredential, "not KEY/date/region/service/"+terminator, "")
	}
	a.date, a.SessionToken = values[qDate], values[qToken]
	if a.Expires, err = parseExpires(values, a.Scope.Service); err != nil {
		return err
	}
	if err := a.readCommon(ErrQueryForm, values[qSignedHeaders], values[qSignature], values[qRegionSet]); err != nil {
		return err
	}
	return a.strip(r)
}

// authValues returns the decoded parameters that sign. Each may be there once, spelt as AWS spells it.
func authValues(params []param) (map[string]string, error) {
	values := make(map[string]string, len(authParams))
	for _, p := range params {
		name := authParam(p.name)
		if name == "" {
			continue
		}
		if _, twice := values[name]; twice || name != p.name {
			return nil, refuse(ErrQueryForm, "query parameter "+name, "given twice, or in another spelling", "send it once")
		}
		values[name] = decode(p.value)
	}
	return values, nil
}

func parseExpires(values map[string]string, service string) (time.Duration, error) {
	s, ok := values[qExpires]
	if !ok && !rawPath(service) {
		return DefaultExpires, nil
	}
	n, err := strconv.ParseUint(s, 10, 32)
	expires := time.Duration(n) * time.Second
	if err != nil || expires < time.Second || expires > MaxExpires {
		return 0, refuse(ErrQueryForm, "query parameter "+qExpires, "not a number of seconds from 1 to 604800", "")
	}
	return expires, nil
}

// strip takes the signing parameters and the hoisted headers out of Query.
func (a *Authorization) strip(r *Request) error {
	var keep []string
	a.Hoisted = http.Header{}
	raw := strings.Split(r.RawQuery, "&")
	for i, p := range a.params {
		name := http.CanonicalHeaderKey(p.name)
		switch {
		case authParam(p.name) != "":
		case strings.HasPrefix(name, "X-Amz-"):
			if _, twice := r.Header[name]; twice || a.Hoisted[name] != nil || !isHeaderName(name) {
				return refuse(ErrQueryForm, "query", "a parameter that stands for a header is given twice or has no header's name", "")
			}
			a.Hoisted[name] = []string{decode(p.value)}
		default:
			keep = append(keep, raw[i])
		}
	}
	a.Query = strings.Join(keep, "&")
	return nil
}
