package sigv4

import (
	"strings"
	"time"
)

// Algorithm is how a request is signed, as it is named on the wire.
type Algorithm string

const (
	HMAC  Algorithm = "AWS4-HMAC-SHA256"       // Signature Version 4, for one region
	ECDSA Algorithm = "AWS4-ECDSA-P256-SHA256" // Signature Version 4A, for a set of regions
)

const (
	timeFormat = "20060102T150405Z"
	dateLength = len("20060102")
	terminator = "aws4_request"
)

// Scope is what a signature holds for.
type Scope struct {
	Date    string // YYYYMMDD
	Region  string // "" in Signature Version 4A
	Service string // the signing name, for example "s3"
}

// parseCredential reads KEY/date/region/service/aws4_request, in Version 4A without the region.
func parseCredential(s string, a Algorithm) (key string, scope Scope, ok bool) {
	want := 5
	if a == ECDSA {
		want = 4
	}
	if strings.Count(s, "/") != want-1 {
		return "", Scope{}, false
	}
	key, s, _ = strings.Cut(s, "/")
	scope.Date, s, _ = strings.Cut(s, "/")
	if a == HMAC {
		scope.Region, s, _ = strings.Cut(s, "/")
		ok = isName(scope.Region)
	} else {
		ok = true
	}
	scope.Service, s, _ = strings.Cut(s, "/")
	return key, scope, ok && s == terminator && isName(key) && isName(scope.Service) && isDate(scope.Date)
}

// isName reports 1 to 128 letters, digits, hyphens and underscores.
func isName(s string) bool {
	for i := range len(s) {
		if !isAlnum(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

func isDate(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) == dateLength
}

// parseTime reads X-Amz-Date. There is no other form than YYYYMMDD'T'HHMMSS'Z'.
func parseTime(s string) (time.Time, bool) {
	if len(s) != len(timeFormat) {
		return time.Time{}, false
	}
	t, err := time.Parse(timeFormat, s)
	return t, err == nil
}

func appendScope(b []byte, s Scope, a Algorithm) []byte {
	b = append(append(b, s.Date...), '/')
	if a == HMAC {
		b = append(append(b, s.Region...), '/')
	}
	b = append(append(b, s.Service...), '/')
	return append(b, terminator...)
}
