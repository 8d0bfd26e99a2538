package sigv4

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Authorization is what a request says of its signature. Nothing of it is verified yet, except that it is said once, in
// one way. The path and query are checked too, so that whoever routes by them may.
type Authorization struct {
	Algorithm     Algorithm
	KeyID         string
	Scope         Scope
	RegionSet     []string  // Version 4A only
	SignedHeaders []string  // lower case, sorted, "host" among them
	Presigned     bool      // by query parameters
	Time          time.Time // X-Amz-Date
	Expires       time.Duration
	SessionToken  string // "" without one
	Payload       Payload
	// Query is the raw query to send on: of a presigned request it is without what was added for signing and without Hoisted.
	Query string
	// Hoisted are the x-amz-* parameters of a presigned request that a presigner moved here from headers, which S3 reads as
	// such. Send them as headers, or refuse them.
	Hoisted http.Header

	request   *Request
	date      string  // as on the wire
	signature []byte  // decoded
	params    []param // sorted
	fields    []field
}

// String leaves out the signature and the token, so that no log can hold them.
func (a *Authorization) String() string {
	if a == nil {
		return ""
	}
	return string(a.Algorithm) + " " + a.KeyID + " " + string(appendScope(nil, a.Scope, a.Algorithm))
}

// GoString is String.
func (a *Authorization) GoString() string { return a.String() }

// Parse reads the one signature that a request carries, and the kind of its payload.
// The errors are those up to [ErrPayload], and [ErrEventStream].
func Parse(r *Request) (*Authorization, error) {
	fields, err := r.fields()
	if err != nil {
		return nil, err
	}
	params, err := parseQuery(r.RawQuery)
	if err != nil {
		return nil, err
	}
	a := &Authorization{request: r, fields: fields, params: params, Query: r.RawQuery}
	header, hasHeader := r.get("Authorization")
	presigned, old := findAuth(params), hasParam(params, "AWSAccessKeyId")
	switch {
	case old && (hasHeader || presigned != ""):
		return nil, refuse(ErrQueryForm, "query parameter AWSAccessKeyId", "given beside another signature", "sign in one way")
	case hasHeader && presigned != "":
		return nil, refuse(ErrHeaderForm, "query parameter "+presigned, "given beside an Authorization header", "sign in one way")
	case hasHeader:
		err = a.readHeader(r, header)
	case presigned != "":
		err = a.readQuery(r)
	case old:
		err = errSigV2("query parameter AWSAccessKeyId")
	default:
		err = refuse(ErrAnonymous, "request", "not signed", "sign it with the access key that the gateway gave you")
	}
	if err == nil {
		err = checkPath(r.Path, a.Scope.Service)
	}
	if err == nil {
		err = a.readPayload(r)
	}
	if err != nil {
		return nil, err
	}
	a.params = sorted(a.params)
	return a, nil
}

func errSigV2(part string) error {
	return refuse(ErrSigV2, part, "signature version 2", "set s3.signature_version = s3v4 in the profile, or signature_version='s3v4' in the client's configuration")
}

// readHeader reads `ALGORITHM Credential=…, SignedHeaders=…, Signature=…`, the three in any order.
func (a *Authorization) readHeader(r *Request, value string) error {
	const part = "header Authorization"
	name, rest, _ := strings.Cut(value, " ")
	a.Algorithm = Algorithm(name)
	switch {
	case name == "AWS" || name == "AWS2":
		return errSigV2(part)
	case a.Algorithm != HMAC && a.Algorithm != ECDSA:
		return refuse(ErrScheme, part, "neither "+string(HMAC)+" nor "+string(ECDSA), "")
	}
	fields, err := authFields(rest)
	if err != nil {
		return err
	}
	var ok bool
	if a.KeyID, a.Scope, ok = parseCredential(fields[0], a.Algorithm); !ok {
		return refuse(ErrHeaderForm, part, "it has no Credential of the form KEY/date/region/service/"+terminator, "")
	}
	if a.date, ok = r.get("X-Amz-Date"); !ok {
		return refuse(ErrHeaderForm, "header X-Amz-Date", "missing", "send it; Date does not take its place")
	}
	a.SessionToken, _ = r.get("X-Amz-Security-Token")
	set, _ := r.get("X-Amz-Region-Set")
	return a.readCommon(ErrHeaderForm, fields[1], fields[2], set)
}

var authNames = [3]string{"Credential=", "SignedHeaders=", "Signature="}

// authFields returns the values of authNames, in that order. None may be there twice, and nothing else. One that is not
// there is empty, as none may be.
func authFields(s string) (fields [3]string, err error) {
	const part = "header Authorization"
	var seen [3]bool
	for more := true; more; {
		var field string
		field, s, more = strings.Cut(s, ",")
		field = strings.Trim(field, " ")
		i := slices.IndexFunc(authNames[:], func(name string) bool { return strings.HasPrefix(field, name) })
		if i < 0 {
			return fields, refuse(ErrHeaderForm, part, "a field that is none of Credential, SignedHeaders and Signature", "")
		}
		if seen[i] {
			return fields, refuse(ErrHeaderForm, part, "a field given twice", "")
		}
		seen[i], fields[i] = true, field[len(authNames[i]):]
	}
	return fields, nil
}

// readCommon reads what both forms have.
func (a *Authorization) readCommon(kind error, signedHeaders, signature, regionSet string) error {
	var ok bool
	if a.Time, ok = parseTime(a.date); !ok {
		return refuse(kind, "X-Amz-Date", "not of the form YYYYMMDD'T'HHMMSS'Z'", "")
	}
	if a.SignedHeaders, ok = parseSignedHeaders(signedHeaders); !ok {
		return refuse(kind, "SignedHeaders", "not names in lower case, sorted, separated by semicolons", "")
	}
	if a.signature, ok = a.parseSignature(signature); !ok {
		return refuse(kind, "Signature", "not lower-case hex of the algorithm's length", "")
	}
	if a.Algorithm == HMAC && regionSet != "" {
		return refuse(kind, "X-Amz-Region-Set", "given with a signature for one region", "leave it out")
	} else if a.Algorithm == HMAC {
		return nil
	}
	if a.RegionSet, ok = parseRegionSet(regionSet); !ok {
		return refuse(kind, "X-Amz-Region-Set", "missing or malformed", "")
	}
	return nil
}

// parseSignature reads 32 bytes, or an ECDSA signature in ASN.1 of P-256, of at most 72.
func (a *Authorization) parseSignature(s string) ([]byte, bool) {
	if a.Algorithm == HMAC && len(s) != 64 || len(s) == 0 || len(s) > 144 || len(s)%2 != 0 {
		return nil, false
	}
	b := make([]byte, len(s)/2)
	for i := range b {
		hi, lo := s[2*i], s[2*i+1]
		if !isLowerHex(hi) || !isLowerHex(lo) {
			return nil, false
		}
		b[i] = unhex(hi)<<4 | unhex(lo)
	}
	return b, true
}

func parseSignedHeaders(s string) ([]string, bool) {
	n := strings.Count(s, ";") + 1
	if n > MaxHeader {
		return nil, false
	}
	names := make([]string, 0, n)
	for more := true; more; {
		var name string
		name, s, more = strings.Cut(s, ";")
		if !isSignable(name) || len(names) > 0 && names[len(names)-1] >= name {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// isSignable reports a header's name in lower case. The Authorization header cannot sign itself.
func isSignable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] >= 'A' && s[i] <= 'Z' || s[i] == ':' {
			return false
		}
	}
	return s != "" && s != "authorization"
}

// parseRegionSet reads names separated by commas. A name may be *, or end or begin with it.
func parseRegionSet(s string) ([]string, bool) {
	all := strings.Split(s, ",")
	for i, name := range all {
		all[i] = strings.Trim(name, " ")
		if all[i] != "*" && !isName(strings.ReplaceAll(all[i], "*", "x")) {
			return nil, false
		}
	}
	return all, len(all) <= 64
}
