package mask

import "bytes"

// numberSpan is more than a card, phone or account number takes, with what separates its groups.
const numberSpan = 64

// Settled returns how much of b, in which Scan found hits, is certain: no hit reaches over b[n], whatever follows. It is
// for text that somebody waits for, where a Stream keeps back too much: after "Password: " nothing is left open. Custom
// patterns leave the last line open, up to 512 bytes of it.
func (d *Detector) Settled(b []byte, hits []Hit) (n int) {
	n = min(wordStart(b, numberStart(b)), ibanStart(b), pemStart(b))
	if len(d.custom) > 0 {
		from := max(len(b)-streamTail, 0)
		n = min(n, from+bytes.LastIndexAny(b[from:], "\r\n")+1)
	}
	for i := len(hits) - 1; i >= 0; i-- {
		h := hits[i]
		// A hit at the end may go on. What stands behind a key id may be its secret.
		if h.End > n || h.End == len(b) || h.Class == AWSKey && h.End+awsGap+41 > len(b) {
			n = min(n, h.Start)
		}
	}
	return n
}

// AppendHit appends what stands for a hit in b.
func (d *Detector) AppendHit(dst, b []byte, h Hit) []byte {
	dst, _ = d.rules[h.Class].appendText(dst, b[h.Start:h.End], &d.key)
	return dst
}

// wordStart returns where the word begins that ends at i.
func wordStart(b []byte, i int) int {
	for i > 0 && isWord(b[i-1]) {
		i--
	}
	return i
}

// numberStart returns where the groups of digits begin that b ends in, with up to two separators between them.
func numberStart(b []byte) int {
	start, gap := len(b), 0
	for i := len(b) - 1; i >= max(len(b)-numberSpan, 0) && gap <= 2; i-- {
		switch c := b[i]; {
		case isDigit(c):
			start, gap = i, 0
		case c == ' ' || c == '-' || c == '.' || c == '(' || c == ')' || c == '+':
			gap++
		default:
			gap = 3
		}
	}
	if start > 0 && b[start-1] == '(' {
		start--
	}
	return start
}

// ibanStart returns where an account number begins that b may end in the middle of.
func ibanStart(b []byte) int {
	start := len(b)
	for i := len(b) - 1; i >= max(len(b)-numberSpan, 0); i-- {
		if !isAlnum(b[i]) && b[i] != ' ' {
			break
		}
		if i+4 <= len(b) && isDigit(b[i+2]) && isDigit(b[i+3]) && ibanLength(upper(b[i]), upper(b[i+1])) > 0 {
			start = i
		}
	}
	return start
}

// pemStart returns where the BEGIN of a key begins whose label b ends in the middle of.
func pemStart(b []byte) int {
	from := max(len(b)-maxPEMLabel-len(pemBegin), 0)
	i := bytes.LastIndex(b[from:], []byte(pemBegin))
	if i < 0 || bytes.Contains(b[from+i+len(pemBegin):], []byte(pemDash)) {
		return len(b)
	}
	return from + i
}
