package terminal

import (
	"bytes"
	"slices"
	"strings"
)

// within are parts of words that name a secret wherever they stand; words name one by themselves, also with an s. In both,
// a space is a hyphen or an underscore too.
var (
	within = []string{
		"password", "passwd", "passphrase", "pass phrase", "passcode", "secret", "credential", "hidden",
		"not echo", "not be echo", "not shown", "not be shown", "not display", "not be display", "not visible", "not be visible",
	}
	words = append([]string{"pass", "pin", "pwd", "otp", "totp", "mfa", "2fa", "tan", "cvv", "cvc", "token", "apikey"}, slices.Concat(
		ending(" code", "verification", "security", "one time", "onetime", "authentication", "authenticator", "access", "sms", "login",
			"recovery", "backup", "confirmation", "auth", "2 step", "two factor"),
		ending(" key", "api", "access", "private", "signing", "encryption", "unseal", "master", "auth", "license", "recovery"))...)
)

func ending(end string, of ...string) []string {
	out := make([]string, len(of))
	for i, w := range of {
		out[i] = w + end
	}
	return out
}

// Where in a line a prompt may end, in bytes after the word that makes it one.
const (
	maxBehind = 100
	maxBefore = 60
)

// asks reports whether a line ends as a prompt for a secret does: with such a word, or with a colon, a question mark or an
// equals sign behind one.
func asks(line []byte) bool {
	line = bytes.TrimRight(line, " \t")
	if len(line) == 0 {
		return false
	}
	if strings.IndexByte(":?=", line[len(line)-1]) >= 0 {
		text := normal(line[:len(line)-1])
		return find(text, func(end int) bool { return len(text)-end <= maxBehind })
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte(">")), []byte("»"))
	return ends(bytes.TrimRight(line, "])\"' "))
}

// ends reports whether a line ends with a word for a secret.
func ends(line []byte) bool {
	const longest = 32
	if last := len(line) - 1; last < 2 || line[last]|0x20 < 'a' || line[last]|0x20 > 'z' {
		return false
	}
	text := normal(line[max(0, len(line)-longest):])
	for _, plural := range []bool{false, true} {
		if plural && text[len(text)-1] != 's' {
			break
		} else if plural {
			text = text[:len(text)-1]
		}
		if slices.ContainsFunc(within, func(w string) bool { return endsIn(text, w) }) ||
			slices.ContainsFunc(words, func(w string) bool { return endsIn(text, w) && !inWord(text, len(text)-len(w)) }) {
			return true
		}
	}
	return false
}

func endsIn(text []byte, w string) bool {
	return len(text) >= len(w) && text[len(text)-1] == w[len(w)-1] && string(text[len(text)-len(w):]) == w
}

// inWord reports whether the place i is within a word.
func inWord(text []byte, i int) bool { return i > 0 && letter(text[i-1]) }

// asked reports whether a line has a prompt for a secret in it, which what was sent ahead may have answered.
func asked(line []byte) bool {
	if bytes.IndexByte(line, ':') < 0 && bytes.IndexByte(line, '?') < 0 {
		return false
	}
	text := normal(line)
	return find(text, func(end int) bool {
		for i := end; i < len(text) && i-end <= maxBefore; i++ {
			if (text[i] == ':' || text[i] == '?') && (i+1 == len(text) || text[i+1] == ' ') {
				return true
			}
		}
		return false
	})
}

// normal is a line in lower case, with a space for what separates words.
func normal(line []byte) []byte {
	out := make([]byte, len(line))
	for i, b := range line {
		switch {
		case b >= 'A' && b <= 'Z':
			b += 'a' - 'A'
		case b == '-', b == '_', b == '\t':
			b = ' '
		}
		out[i] = b
	}
	return out
}

// find reports whether text has a word for a secret of which the end is good.
func find(text []byte, good func(end int) bool) bool {
	for _, w := range within {
		for at := 0; ; {
			i := bytes.Index(text[at:], []byte(w))
			if i < 0 {
				break
			}
			if at += i + len(w); good(at) || at < len(text) && text[at] == 's' && good(at+1) {
				return true
			}
		}
	}
	for i := range text {
		if inWord(text, i) || !letter(text[i]) {
			continue
		}
		for _, w := range words {
			if end := wordAt(text, i, w); end > 0 && good(end) {
				return true
			}
		}
	}
	return false
}

// wordAt returns where the word ends that begins at i, with an s that it may have; 0 where it is another.
func wordAt(text []byte, i int, w string) int {
	if len(text)-i < len(w) || text[i] != w[0] || string(text[i:i+len(w)]) != w {
		return 0
	}
	end := i + len(w)
	if end < len(text) && text[end] == 's' {
		end++
	}
	if end < len(text) && letter(text[end]) {
		return 0
	}
	return end
}

func letter(b byte) bool { return b >= 'a' && b <= 'z' || b >= '0' && b <= '9' }
