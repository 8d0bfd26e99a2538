package mask

import "bytes"

// run returns where the bytes from i on stop being of a set.
func run(b []byte, i int, in func(byte) bool) int {
	for i < len(b) && in(b[i]) {
		i++
	}
	return i
}

func isWide(c byte) bool { return c >= 0x80 } // part of a character beyond ASCII

func isLocal(c byte) bool {
	return isAlnum(c) || isWide(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-'
}

func isDomain(c byte) bool { return isAlnum(c) || isWide(c) || c == '.' || c == '-' }

func isBase64URL(c byte) bool { return isAlnum(c) || c == '_' || c == '-' }

func isBase64(c byte) bool { return isAlnum(c) || c == '/' || c == '+' }

func isUpperAlnum(c byte) bool { return isDigit(c) || c-'A' < 26 }

// email returns the address around the @ at i: a domain of two labels or more, the last of two letters or more.
func email(b []byte, i, last int) (start, end int) {
	start = i
	for start > last && isLocal(b[start-1]) {
		start--
	}
	if start == i {
		return 0, 0
	}
	stop := run(b, i+1, isDomain)
	for dot := stop - 1; dot > i+1; dot-- {
		if b[dot] != '.' {
			continue
		}
		tld := run(b[:stop], dot+1, func(c byte) bool { return isLetter(c) || isWide(c) })
		if tld-dot > 2 {
			return start, tld
		}
	}
	return 0, 0
}

// minJWTPart is the least length of a token's header and payload; the shortest real ones are longer.
const minJWTPart = 10

// jwt returns the token whose header's J, of eyJ for {" in base 64, is at i. If there is none, none begins before dead.
func jwt(b []byte, i, last int) (start, end, dead int) {
	start = i - 2
	if start < last || b[start] != 'e' || b[start+1] != 'y' {
		return 0, 0, 0
	}
	header := run(b, start, isBase64URL)
	if header == len(b) || b[header] != '.' {
		return 0, 0, header
	}
	payload := run(b, header+1, isBase64URL)
	if payload-header-1 < minJWTPart || payload == len(b) || b[payload] != '.' {
		return 0, 0, header
	}
	if header-start < minJWTPart {
		return 0, 0, header
	}
	return start, run(b, payload+1, isBase64URL), 0
}

const (
	pemBegin = "-----BEGIN "
	pemEnd   = "-----END "
	pemDash  = "-----"
	// maxPEMLabel bounds the search for the end of a label.
	maxPEMLabel = 256
)

// pem returns the private key whose BEGIN is at i, to the end of its END line, or of b if there is none.
func pem(b []byte, i, last int) (start, end int) {
	start = i - len(pemDash)
	if start < last || !bytes.HasPrefix(b[start:], []byte(pemBegin)) {
		return 0, 0
	}
	body := privateLabel(b, start+len(pemBegin))
	if body == 0 {
		return 0, 0
	}
	for at := body; ; {
		next := bytes.Index(b[at:], []byte(pemEnd))
		if next < 0 {
			return start, len(b)
		}
		at += next + len(pemEnd)
		if end := privateLabel(b, at); end > 0 {
			return start, end
		}
	}
}

// privateLabel returns the end of a label of a private key and its dashes, 0 if there is none at i.
func privateLabel(b []byte, i int) int {
	line := b[i:min(len(b), i+maxPEMLabel)]
	n := bytes.Index(line, []byte(pemDash))
	if n < 0 {
		return 0
	}
	label := bytes.TrimSuffix(line[:n], []byte(" BLOCK"))
	if !bytes.HasSuffix(label, []byte("PRIVATE KEY")) {
		return 0
	}
	return i + n + len(pemDash)
}

// awsKey returns the end of the access key id at i: AKIA or ASIA and 16 more.
func awsKey(b []byte, i int) int {
	if len(b)-i < 20 || string(b[i+2:i+4]) != "IA" || b[i+1] != 'K' && b[i+1] != 'S' {
		return 0
	}
	if run(b[:min(len(b), i+21)], i, isUpperAlnum) != i+20 {
		return 0
	}
	return i + 20
}

// awsGap is how far behind its id a secret key may stand.
const awsGap = 100

// appendAWSSecret adds the 40 characters that look like the secret of the key id that ends at i.
func appendAWSSecret(dst []Hit, b []byte, i int) []Hit {
	for limit := min(len(b), i+awsGap); i < limit; i++ {
		if !isBase64(b[i]) || isBase64(b[i-1]) {
			continue
		}
		if run(b[:min(len(b), i+41)], i, isBase64) == i+40 {
			return append(dst, Hit{i, i + 40, AWSKey})
		}
	}
	return dst
}

// googleKey returns the end of the API key at i: AIza and 35 more.
func googleKey(b []byte, i int) int {
	if bytes.HasPrefix(b[i:], []byte("AIza")) && run(b[:min(len(b), i+39)], i, isBase64URL) == i+39 {
		return i + 39
	}
	return 0
}

// slackToken returns the end of the token at i, as xoxb-...
func slackToken(b []byte, i int) int {
	if len(b)-i < 6 || string(b[i:i+3]) != "xox" || !isLetter(b[i+3]) || b[i+4] != '-' || !isDigit(b[i+5]) {
		return 0
	}
	end := run(b, i+5, func(c byte) bool { return isAlnum(c) || c == '-' })
	if end-i < 15 {
		return 0
	}
	return end
}

// underscoreToken returns the token whose prefix's first underscore is at i: GitHub's and Stripe's.
func underscoreToken(b []byte, i, last int) (start, end int) {
	before, rest := b[last:i], b[i+1:]
	switch {
	case len(before) >= 3 && before[len(before)-3] == 'g' && before[len(before)-2] == 'h' &&
		bytes.IndexByte([]byte("oprsu"), before[len(before)-1]) >= 0:
		return tokenTail(b, i-3, i+1, 36, isAlnum)
	case bytes.HasSuffix(before, []byte("github")) && bytes.HasPrefix(rest, []byte("pat_")):
		return tokenTail(b, i-6, i+5, 22, func(c byte) bool { return isAlnum(c) || c == '_' })
	case (bytes.HasSuffix(before, []byte("sk")) || bytes.HasSuffix(before, []byte("rk"))) &&
		(bytes.HasPrefix(rest, []byte("live_")) || bytes.HasPrefix(rest, []byte("test_"))):
		return tokenTail(b, i-2, i+6, 16, isAlnum)
	}
	return 0, 0
}

// tokenTail returns the token from start whose random part, from at on, is least long or more.
func tokenTail(b []byte, start, at, least int, in func(byte) bool) (int, int) {
	end := run(b, at, in)
	if end-at < least {
		return 0, 0
	}
	return start, end
}
