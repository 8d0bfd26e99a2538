package iampolicy

import (
	"bytes"
	"encoding/base64"
	"math/big"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// arnLike compares ARNs part by part; each part may have wildcards. What is no ARN matches nothing; what AWS makes of a
// pattern with fewer parts is not told.
func arnLike(value string, p pattern) Truth {
	if len(splitARN(p)) != arnParts {
		return Unknown
	}
	return truthOf(arnCovers(p, literal(value), false))
}

func boolEquals(value, with string) Truth {
	v, ok := readBool(value)
	w, ok2 := readBool(with)
	if !ok || !ok2 {
		return Unknown
	}
	return truthOf(v == w)
}

func readBool(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true":
		return true, true
	case "false":
		return false, true
	}
	return false, false
}

func binaryEquals(value, with string) Truth {
	v, err := base64.StdEncoding.DecodeString(value)
	w, err2 := base64.StdEncoding.DecodeString(with)
	if err != nil || err2 != nil {
		return Unknown
	}
	return truthOf(bytes.Equal(v, w))
}

// addressIn says whether an address is in a network, which may be a single address.
func addressIn(value, with string) Truth {
	a, err := netip.ParseAddr(value)
	if err != nil {
		return Unknown
	}
	if !strings.Contains(with, "/") {
		b, err := netip.ParseAddr(with)
		if err != nil {
			return Unknown
		}
		return truthOf(a.Unmap() == b.Unmap())
	}
	n, err := netip.ParsePrefix(with)
	if err != nil {
		return Unknown
	}
	return truthOf(n.Contains(a) || n.Contains(a.Unmap()))
}

// maxNumber is in characters, so that an exponent cannot make a number that fills memory.
const maxNumber = 32

func numbers(a, b string) (int, bool) {
	x, ok := readNumber(a)
	y, ok2 := readNumber(b)
	if !ok || !ok2 {
		return 0, false
	}
	return x.Cmp(y), true
}

func readNumber(s string) (*big.Rat, bool) {
	if len(s) > maxNumber || strings.ContainsAny(s, "eE/xX_pPbBoO") {
		return nil, false
	}
	return new(big.Rat).SetString(s)
}

func dates(a, b string) (int, bool) {
	x, ok := readDate(a)
	y, ok2 := readDate(b)
	if !ok || !ok2 {
		return 0, false
	}
	return x.Compare(y), true
}

// readDate reads seconds since 1970, and the forms of https://www.w3.org/TR/NOTE-datetime.
func readDate(s string) (time.Time, bool) {
	if seconds, err := strconv.ParseInt(s, 10, 64); err == nil && len(s) > len("2006") {
		return time.Unix(seconds, 0), true
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}
