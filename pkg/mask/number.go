package mask

// group is a run of digits, and what stands between it and the group before.
type group struct {
	start, end int
	sep        byte
}

func (g group) len() int { return g.end - g.start }

// maxGroups is how many groups of one number are looked at together. A card has 19 digits at most.
const (
	maxGroups     = 32
	minCardDigits = 13
	maxCardDigits = 19
)

// number looks at the number that begins at i, digits in groups with single separators, appends what it finds and
// returns where to go on.
func (d *Detector) number(dst []Hit, b []byte, i, last int) ([]Hit, int) {
	end := digitsEnd(b, i)
	if i-last >= 2 && end-i >= 2 && d.on[IBAN] {
		if e := ibanEnd(b, i-2); e > 0 {
			return append(dst, Hit{i - 2, e, IBAN}), e
		}
	}
	if i > last && d.on[Phone] {
		if start, e := markedPhone(b, i, end); e > 0 {
			return append(dst, Hit{start, e, Phone}), e
		}
	}
	if !grouped(b, end) {
		if d.on[Card] && isCard(b[i:end]) {
			dst = append(dst, Hit{i, end, Card})
		}
		return dst, end
	}
	if stop, shaped := survey(b, i, end); !shaped {
		return dst, stop
	}
	return d.groups(dst, b, i, end)
}

// survey goes through the groups after b[i:end] and tells whether any two neighbours could be in a card, a social
// security or a phone number; dates and times are not. It returns where the groups end.
func survey(b []byte, i, end int) (stop int, shaped bool) {
	before := end - i
	for grouped(b, end) {
		stop := digitsEnd(b, end+1)
		n := stop - end - 1
		if before >= 3 && n >= 3 || before == 3 && n == 2 || before >= minCardDigits-2 || n >= minCardDigits {
			return stop, true
		}
		before, end = n, stop
	}
	return end, false
}

// groups looks at the groups of digits from b[i:end] on.
func (d *Detector) groups(dst []Hit, b []byte, i, end int) ([]Hit, int) {
	var room [maxGroups]group
	groups := split(room[:0], b, i, end)
	next := groups[len(groups)-1].end
	if len(groups) == maxGroups {
		next = groups[maxGroups-maxCardDigits].start
	}
	for s := 0; s < len(groups) && groups[s].start < next; {
		n, class := 0, Class(0)
		if d.on[Card] {
			n, class = cardGroups(b, groups[s:], s == 0), Card
		}
		if n == 0 && d.on[SSN] && ssnGroups(b, groups, s) {
			n, class = 3, SSN
		}
		if n == 0 && d.on[Phone] && phoneGroups(b, groups, s) {
			n, class = 3, Phone
		}
		if n == 0 {
			s++
			continue
		}
		dst = append(dst, Hit{groups[s].start, groups[s+n-1].end, class})
		next = max(next, groups[s+n-1].end)
		s += n
	}
	return dst, next
}

func isDigit(c byte) bool { return c-'0' <= 9 }

func isLetter(c byte) bool { return c|0x20-'a' < 26 }

func isAlnum(c byte) bool { return isDigit(c) || isLetter(c) }

func digitsEnd(b []byte, i int) int {
	for i < len(b) && isDigit(b[i]) {
		i++
	}
	return i
}

// grouped tells whether another group of digits follows one that ends at i.
func grouped(b []byte, i int) bool {
	return i+1 < len(b) && (b[i] == ' ' || b[i] == '-' || b[i] == '.') && isDigit(b[i+1])
}

// split appends the groups of the number whose first group is b[i:end], as far as there is room.
func split(groups []group, b []byte, i, end int) []group {
	groups = append(groups, group{start: i, end: end})
	for len(groups) < cap(groups) && grouped(b, end) {
		g := group{start: end + 1, end: digitsEnd(b, end+1), sep: b[end]}
		groups = append(groups, g)
		end = g.end
	}
	return groups
}

// isCard tells whether digits are a card number: its length, a first digit that issuers use, and the Luhn check
// (ISO/IEC 7812-1).
func isCard(digits []byte) bool {
	return len(digits) >= minCardDigits && len(digits) <= maxCardDigits && issued(digits) && luhn(digits)
}

func issued(digits []byte) bool {
	switch digits[0] {
	case '3', '4', '5', '6':
		return true
	case '2':
		return digits[1] >= '2' && digits[1] <= '7'
	}
	return false
}

func luhn(digits []byte) bool {
	sum, double := 0, len(digits)%2 == 0
	for _, c := range digits {
		n := int(c - '0')
		if double {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
		double = !double
	}
	return sum%10 == 0
}

// cardGroups returns how many groups, from the first, make the longest card number. A single group stands for itself;
// several must not continue a word, and all but the last have three digits or more, as dates do not.
func cardGroups(b []byte, groups []group, first bool) (found int) {
	var room [maxCardDigits]byte
	digits := room[:0]
	for n, g := range groups {
		if len(digits)+g.len() > maxCardDigits || n > 0 && (g.sep == '.' || groups[n-1].len() < 3) {
			break
		}
		digits = append(digits, b[g.start:g.end]...)
		if isCard(digits) && (n == 0 || standsAlone(b, groups[0].start, g.end, first)) {
			found = n + 1
		}
	}
	return found
}

func standsAlone(b []byte, start, end int, first bool) bool {
	if first && start > 0 && isAlnum(b[start-1]) {
		return false
	}
	return end == len(b) || !isAlnum(b[end])
}

// ssnGroups tells whether groups[s:] begins with a social security number that is not part of something longer.
func ssnGroups(b []byte, groups []group, s int) bool {
	if !shaped(groups, s, 3, 2, 4) {
		return false
	}
	sep := groups[s+1].sep
	if sep == '.' || groups[s+2].sep != sep || s > 0 && groups[s].sep == sep {
		return false
	}
	if s+3 < len(groups) && groups[s+3].sep == sep {
		return false
	}
	area, middle, serial := b[groups[s].start:], b[groups[s+1].start:], b[groups[s+2].start:]
	return area[0] != '9' && string(area[:3]) != "000" && string(area[:3]) != "666" &&
		string(middle[:2]) != "00" && string(serial[:4]) != "0000"
}

// phoneGroups tells whether groups[s:] begins with a North American phone number, ddd-ddd-dddd.
func phoneGroups(b []byte, groups []group, s int) bool {
	if !shaped(groups, s, 3, 3, 4) || b[groups[s].start] < '2' || b[groups[s+1].start] < '2' {
		return false
	}
	if s > 0 && groups[s].sep != ' ' && !(groups[s-1].len() == 1 && b[groups[s-1].start] == '1') {
		return false
	}
	return s+3 == len(groups) || groups[s+3].sep == ' '
}

func shaped(groups []group, s, a, b, c int) bool {
	return s+3 <= len(groups) && groups[s].len() == a && groups[s+1].len() == b && groups[s+2].len() == c
}

// markedPhone finds a phone number whose first digits b[i:end] follow a + or a parenthesis.
func markedPhone(b []byte, i, end int) (start, stop int) {
	switch b[i-1] {
	case '+':
		return i - 1, internationalEnd(b, i)
	case '(':
		return i - 1, parenthesisEnd(b, i, end)
	}
	return 0, 0
}

// internationalEnd returns where a number of 8 to 15 digits (E.164) ends, with up to two separators between digits.
func internationalEnd(b []byte, i int) int {
	digits, end := 0, 0
	for gap := 0; i < len(b) && gap <= 2; i++ {
		switch c := b[i]; {
		case isDigit(c):
			digits, end, gap = digits+1, i+1, 0
		case c == ' ' || c == '.' || c == '-' || c == '(' || c == ')':
			gap++
		default:
			gap = 3
		}
		if digits > 15 {
			return 0
		}
	}
	if digits < 8 {
		return 0
	}
	return end
}

// parenthesisEnd returns where (ddd) ddd-dddd ends, with b[i:end] inside the parentheses.
func parenthesisEnd(b []byte, i, end int) int {
	if end-i != 3 || end == len(b) || b[end] != ')' {
		return 0
	}
	at := end + 1
	if at < len(b) && b[at] == ' ' {
		at++
	}
	if digitsEnd(b, at) != at+3 || !grouped(b, at+3) || digitsEnd(b, at+4) != at+8 {
		return 0
	}
	return at + 8
}
