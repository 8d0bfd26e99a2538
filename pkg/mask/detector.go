package mask

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
)

// Class is what a Detector takes a piece of text for. Custom patterns come behind the built-in classes.
type Class uint8

// The built-in classes.
const (
	Card   Class = iota + 1 // payment card number: 13 to 19 digits, plausible first digit, Luhn
	SSN                     // US social security number, ddd-dd-dddd
	Email                   // mail address
	Phone                   // phone number, international with + or North American
	IBAN                    // bank account: length of its country, remainder modulo 97
	AWSKey                  // AWS access key id, and what looks like the secret key right after it
	JWT                     // JSON web token
	PEM                     // PEM private key, to its end marker or the end of the text
	Token                   // access tokens of well-known services, by their prefix

	firstCustom
)

var classNames = [...]string{
	Card: "card", SSN: "ssn", Email: "email", Phone: "phone", IBAN: "iban",
	AWSKey: "aws_key", JWT: "jwt", PEM: "pem", Token: "token",
}

// maxCustom is how many custom patterns a detector takes.
const maxCustom = 64

// Pattern is a class of one's own.
type Pattern struct {
	Name    string
	Regexp  string // RE2; does not match the empty text
	Literal string // three bytes or more that every match has around: the expression runs only on texts with it
}

// Config says what to detect. The zero value detects all built-in classes and redacts them.
type Config struct {
	// Classes are the built-in classes to detect, by name. Default all.
	Classes []string
	// Custom are patterns of one's own.
	Custom []Pattern
	// Rules say how to mask a class, by name. Default redact.
	Rules map[string]Rule
	// Key is for hash rules.
	Key Key
	// SkipNumbers leaves numeric columns alone. By default one that holds a card number becomes NULL.
	SkipNumbers bool
}

// Detector finds sensitive text in one pass. Safe for concurrent use.
type Detector struct {
	trigger [256]uint8
	on      [firstCustom]bool
	names   []string
	rules   []Rule
	custom  []customPattern
	key     Key
	numbers bool
}

type customPattern struct {
	class   Class
	literal []byte
	re      *regexp.Regexp
}

// What a trigger byte may belong to.
const (
	triggerNone uint8 = iota
	triggerDigit
	triggerAt
	triggerJ
	triggerA
	triggerB
	triggerUnderscore
	triggerX
)

// New returns a detector, or an error for an unknown class, a bad pattern or a rule for nothing.
func New(cfg Config) (*Detector, error) {
	d := &Detector{key: cfg.Key, numbers: !cfg.SkipNumbers, names: slices.Clone(classNames[:])}
	if err := d.enable(cfg.Classes); err != nil {
		return nil, err
	}
	for _, p := range cfg.Custom {
		if err := d.addCustom(p); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", p.Name, err)
		}
	}
	d.rules = make([]Rule, len(d.names))
	for i := range d.rules {
		d.rules[i] = Rule{Kind: Redact}
	}
	for name, rule := range cfg.Rules {
		i := slices.Index(d.names, name)
		if i < 1 {
			return nil, fmt.Errorf("mask for unknown class %q", name)
		}
		if rule.Kind == Hash && !cfg.Key.set {
			return nil, fmt.Errorf("class %q: a hash mask needs a key", name)
		}
		d.rules[i] = rule
	}
	d.setTriggers()
	return d, nil
}

func (d *Detector) enable(names []string) error {
	if len(names) == 0 {
		names = classNames[1:]
	}
	for _, name := range names {
		i := slices.Index(classNames[:], name)
		if i < 1 {
			return fmt.Errorf("unknown class %q, want one of %q", name, classNames[1:])
		}
		d.on[i] = true
	}
	return nil
}

func (d *Detector) addCustom(p Pattern) error {
	switch {
	case p.Name == "" || slices.Contains(d.names, p.Name):
		return errors.New("its name is empty or taken")
	case len(p.Literal) < 3:
		return errors.New("it needs a literal of three bytes or more")
	case len(d.custom) == maxCustom:
		return fmt.Errorf("more than %d patterns", maxCustom)
	}
	re, err := regexp.Compile(p.Regexp)
	if err != nil {
		return err
	}
	if re.MatchString("") {
		return errors.New("it matches the empty text")
	}
	d.custom = append(d.custom, customPattern{class: Class(len(d.names)), literal: []byte(p.Literal), re: re})
	d.names = append(d.names, p.Name)
	return nil
}

func (d *Detector) setTriggers() {
	set := func(on bool, bytes string, trigger uint8) {
		for i := range len(bytes) {
			if on {
				d.trigger[bytes[i]] = trigger
			}
		}
	}
	set(d.on[Card] || d.on[SSN] || d.on[Phone] || d.on[IBAN], "0123456789", triggerDigit)
	set(d.on[Email], "@", triggerAt)
	set(d.on[JWT], "J", triggerJ)
	set(d.on[AWSKey] || d.on[Token], "A", triggerA)
	set(d.on[PEM], "B", triggerB)
	set(d.on[Token], "_", triggerUnderscore)
	set(d.on[Token], "x", triggerX)
}

// Name returns the name of a class of this detector.
func (d *Detector) Name(c Class) string {
	if c == 0 || int(c) >= len(d.names) {
		return "none"
	}
	return d.names[c]
}

// Hit is a piece of a text that a detector found, b[Start:End].
type Hit struct {
	Start, End int
	Class      Class
}

// Scan appends the hits in b to dst, in order and without overlaps. It does not allocate when dst has room and no
// custom pattern's literal occurs.
func (d *Detector) Scan(dst []Hit, b []byte) []Hit {
	from := len(dst)
	dst = d.scanBuiltin(dst, b)
	for i := range d.custom {
		if p := &d.custom[i]; bytes.Contains(b, p.literal) {
			for _, m := range p.re.FindAllIndex(b, -1) {
				dst = append(dst, Hit{Start: m[0], End: m[1], Class: p.class})
			}
		}
	}
	if len(d.custom) > 0 && len(dst)-from > 1 {
		return d.merge(dst, from)
	}
	return dst
}

// merge puts dst[from:] in order and makes one of hits that overlap, of the class with the stricter rule.
func (d *Detector) merge(dst []Hit, from int) []Hit {
	slices.SortStableFunc(dst[from:], func(a, b Hit) int { return a.Start - b.Start })
	kept := from
	for _, h := range dst[from+1:] {
		last := &dst[kept]
		if h.Start >= last.End {
			kept++
			dst[kept] = h
			continue
		}
		last.End = max(last.End, h.End)
		if rule := d.rules[last.Class]; Stricter(rule, d.rules[h.Class]) != rule {
			last.Class = h.Class
		}
	}
	return dst[:kept+1]
}

func (d *Detector) scanBuiltin(dst []Hit, b []byte) []Hit {
	s := scan{d: d, b: b}
	for i := d.skip(b, 0); i < len(b); i = d.skip(b, i) {
		n := len(dst)
		if d.trigger[b[i]] == triggerDigit {
			dst, i = d.number(dst, b, i, s.last)
		} else {
			dst, i = s.match(dst, i)
		}
		if len(dst) > n {
			s.last = dst[len(dst)-1].End
			i = max(i, s.last)
		}
	}
	return dst
}

// scan is where a scan stands.
type scan struct {
	d    *Detector
	b    []byte
	last int // where the hit before ends; no hit reaches back over it
	// noJWT is how far it is known that no token begins, so that a text of nothing but beginnings takes no time.
	noJWT int
}

// skip returns the next trigger in b from i on, or len(b).
func (d *Detector) skip(b []byte, i int) int {
	t := &d.trigger
	for ; i+8 <= len(b); i += 8 {
		w := b[i : i+8 : i+8]
		if t[w[0]]|t[w[1]]|t[w[2]]|t[w[3]]|t[w[4]]|t[w[5]]|t[w[6]]|t[w[7]] != 0 {
			break
		}
	}
	for i < len(b) && t[b[i]] == 0 {
		i++
	}
	return i
}

// match appends the hit around the trigger at i, if there is one, and returns where to go on.
func (s *scan) match(dst []Hit, i int) ([]Hit, int) {
	start, end, class := s.around(i)
	if end == 0 {
		return dst, i + 1
	}
	dst = append(dst, Hit{Start: start, End: end, Class: class})
	if class == AWSKey {
		dst = appendAWSSecret(dst, s.b, end)
	}
	return dst, end
}

// around returns the hit around the trigger at i; end is 0 if there is none.
func (s *scan) around(i int) (start, end int, class Class) {
	b, last := s.b, s.last
	switch s.d.trigger[b[i]] {
	case triggerAt:
		start, end = email(b, i, last)
		return start, end, Email
	case triggerJ:
		if i < s.noJWT {
			return 0, 0, 0
		}
		start, end, s.noJWT = jwt(b, i, last)
		return start, end, JWT
	case triggerB:
		start, end = pem(b, i, last)
		return start, end, PEM
	case triggerA:
		return s.aroundA(i)
	case triggerUnderscore:
		start, end = underscoreToken(b, i, last)
		return start, end, Token
	case triggerX:
		return i, slackToken(b, i), Token
	}
	return 0, 0, 0
}

func (s *scan) aroundA(i int) (start, end int, class Class) {
	if s.d.on[AWSKey] {
		if end = awsKey(s.b, i); end > 0 {
			return i, end, AWSKey
		}
	}
	if s.d.on[Token] {
		return i, googleKey(s.b, i), Token
	}
	return 0, 0, 0
}

// Redact appends b to dst with every hit masked by its class's rule; null makes an empty text of it.
func (d *Detector) Redact(dst, b []byte) []byte {
	var room [16]Hit
	hits := d.Scan(room[:0], b)
	return d.redact(dst, b, hits)
}

func (d *Detector) redact(dst, b []byte, hits []Hit) []byte {
	done := 0
	for _, h := range hits {
		dst = append(dst, b[done:h.Start]...)
		dst, _ = d.rules[h.Class].appendText(dst, b[h.Start:h.End], &d.key)
		done = h.End
	}
	return append(dst, b[done:]...)
}
