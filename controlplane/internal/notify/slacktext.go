package notify

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The texts of a message come from strangers. Most go into plain_text objects, in which Slack reads no formatting; the
// statement goes into a code block, the only place with mrkdwn. In both, Slack's three control characters are escaped
// (https://docs.slack.dev/messaging/formatting-message-text), so that nothing becomes a mention or a link, and what the
// eye would not see is written out.

// plainText escapes s and shortens it to at most so many characters as Slack counts them, which is after escaping.
func plainText(s string, most int) string { return fit(visible(s), most) }

// codeBlock is s as a code block that it cannot leave.
func codeBlock(s string, most int) string {
	const fence = "```"
	const apart = "\u200b" // between two backticks: Slack then sees no fence
	s = strings.ReplaceAll(visible(s), "``", "`"+apart+"`")
	s = strings.ReplaceAll(s, "``", "`"+apart+"`") // an odd run leaves one pair
	return fence + "\n" + fit(s, most-2*len(fence)-2) + "\n" + fence
}

// visible writes out control characters, and characters that show as nothing or turn the text around.
func visible(s string) string {
	var out strings.Builder
	for i, r := range s {
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(s[i:]); size == 1 {
				fmt.Fprintf(&out, "\\x%02x", s[i])
				continue
			}
		}
		switch {
		case r == '\n', r == '\t':
			out.WriteRune(r)
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r),
			unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r), unicode.Is(unicode.Variation_Selector, r):
			fmt.Fprintf(&out, "\\u{%04X}", r)
		default:
			out.WriteRune(r)
		}
	}
	return out.String()
}

var entities = map[rune]string{'&': "&amp;", '<': "&lt;", '>': "&gt;"}

// fit escapes s and cuts it where the escaped text would be longer than most characters.
func fit(s string, most int) string {
	const more = "..."
	var out strings.Builder
	length, fits := 0, 0
	for _, r := range s {
		text, ok := entities[r]
		if !ok {
			text = string(r)
		}
		n := utf8.RuneCountInString(text)
		if length+n > most {
			return out.String()[:fits] + more
		}
		out.WriteString(text)
		if length += n; length <= most-len(more) {
			fits = out.Len()
		}
	}
	return out.String()
}
