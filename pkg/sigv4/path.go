package sigv4

import "strings"

const upperHex = "0123456789ABCDEF"

// rawPath knows the services that sign the path as it is on the wire. All others sign it normalised and encoded once
// more. Source: the S3 API Reference, "Signature Calculations for the Authorization Header"; the signing names of S3's
// relatives are those of botocore's endpoint rules with disableDoubleEncoding.
func rawPath(service string) bool {
	switch service {
	case "s3", "s3-outposts", "s3-object-lambda", "s3express":
		return true
	}
	return false
}

// checkPath lets through the bytes of RFC 3986 section 3.3 only, and for services that normalise no path that
// normalising would change: the edge and the service would read different ones, and signers disagree about them.
func checkPath(path, service string) error {
	if len(path) > MaxPath || !strings.HasPrefix(path, "/") {
		return refuse(ErrRequest, "path", "too long, or not from a slash on", "")
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '%':
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return refuse(ErrRequest, "path", "a percent sign without two hex digits", "percent-encode it")
			}
			i += 2
		case !isUnreserved(c) && strings.IndexByte("/!$&'()*+,;=:@", c) < 0:
			return refuse(ErrRequest, "path", "a byte that must be percent-encoded", "percent-encode it")
		}
	}
	if rawPath(service) {
		return nil
	}
	return checkSegments(path)
}

func checkSegments(path string) error {
	rest := path[1:]
	for more := true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "" && more || isDots(segment) {
			return refuse(ErrRequest, "path", "an empty segment, or one of dots", "send the path without them")
		}
	}
	return nil
}

func isDots(s string) bool {
	if len(s) == 0 || len(s) > 6 {
		return false
	}
	s = decode(s)
	return s == "." || s == ".."
}

// appendPath appends the canonical URI of a path that checkPath let through.
func appendPath(b []byte, path, service string) []byte {
	if rawPath(service) {
		return append(b, path...)
	}
	for i := range len(path) {
		if c := path[i]; isUnreserved(c) || c == '/' {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return b
}

func isUnreserved(c byte) bool {
	return isAlnum(c) || c == '-' || c == '.' || c == '_' || c == '~'
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f'
}

func isLowerHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f'
}
