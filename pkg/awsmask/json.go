package awsmask

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"slices"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
	"github.com/writhq/writ/pkg/jsontext"
)

// stop is where a malformed item ends.
const stop = jsontext.Stop

// jsonWalk goes through a document of JSON and notes what is to be changed.
type jsonWalk struct {
	m     *Masker
	b     jsontext.Text
	edits edits
	found found
	depth int
	deep  bool
}

// json masks a document.
func (m *Masker) json(body []byte, a at, f found) ([]byte, error) {
	w := &jsonWalk{m: m, b: body, found: f}
	i := w.b.Space(0)
	if i == len(body) {
		return body, nil
	}
	end := w.value(i, a)
	switch {
	case w.deep || w.edits.full:
		return nil, ErrTooLarge
	case end < 0 || w.b.Space(end) != len(body):
		return nil, malformed("no JSON")
	}
	slices.SortStableFunc(w.edits.list, func(a, b edit) int { return a.start - b.start })
	return apply(body, w.edits.list), nil
}

// value reads a value.
func (w *jsonWalk) value(i int, a at) (end int) {
	if i >= len(w.b) {
		return stop
	}
	switch w.b[i] {
	case '{', '[':
		if w.depth++; w.depth > maxDepth {
			w.deep = true
			return stop
		}
		defer func() { w.depth-- }()
		if w.b[i] == '{' {
			return w.object(i+1, a)
		}
		return w.array(i+1, a)
	case '"':
		end, plain := w.b.Quoted(i)
		if end > 0 && !a.idle() {
			w.text(i, end, plain, a)
		}
		return end
	}
	end = w.b.Scalar(i)
	if end > 0 && !a.idle() {
		w.scalar(i, end, a)
	}
	return end
}

// array reads the elements of an array and its closing bracket.
func (w *jsonWalk) array(i int, a at) int {
	inner := w.m.element(a)
	if i = w.b.Space(i); i < len(w.b) && w.b[i] == ']' {
		return i + 1
	}
	for {
		if i = w.value(w.b.Space(i), inner); i < 0 {
			return stop
		}
		if i = w.b.Space(i); i == len(w.b) {
			return stop
		}
		if w.b[i] == ']' {
			return i + 1
		}
		if w.b[i] != ',' {
			return stop
		}
		i++
	}
}

// object reads the members of an object and its closing bracket.
func (w *jsonWalk) object(i int, a at) int {
	if i = w.b.Space(i); i < len(w.b) && w.b[i] == '}' {
		return i + 1
	}
	var sum digest
	for {
		i = w.b.Space(i)
		name, next := w.name(i)
		if next < 0 {
			return stop
		}
		inner := at{}
		if !a.idle() {
			inner = w.m.member(a, name)
		}
		before := len(w.edits.list)
		if i = w.value(next, inner); i < 0 {
			return stop
		}
		sum.member(w, name, next, i, before)
		if i = w.b.Space(i); i == len(w.b) {
			return stop
		}
		if w.b[i] == '}' {
			sum.write(w, a)
			return i + 1
		}
		if w.b[i] != ',' {
			return stop
		}
		i++
	}
}

// name reads a member's name and returns where its value begins.
func (w *jsonWalk) name(i int) (name []byte, value int) {
	if i >= len(w.b) || w.b[i] != '"' {
		return nil, stop
	}
	end, plain := w.b.Quoted(i)
	if end < 0 {
		return nil, stop
	}
	colon := w.b.Space(end)
	if colon == len(w.b) || w.b[colon] != ':' {
		return nil, stop
	}
	return unquote(w.b[i:end], plain), w.b.Space(colon + 1)
}

// text masks a string.
func (w *jsonWalk) text(i, end int, plain bool, a at) {
	if out, changed := w.m.text(unquote(w.b[i:end], plain), a, w.found); changed {
		w.edits.add(i, end, quote(out))
	}
}

// scalar masks a number or boolean; null stays.
func (w *jsonWalk) scalar(i, end int, a at) {
	b := w.b[i:end]
	if b[0] == 'n' {
		return
	}
	zero := zeroNumber
	if b[0] == 't' || b[0] == 'f' {
		if zero, b = zeroBool, nil; a.lost().hide == nil {
			return
		}
	}
	if w.m.figure(b, a, w.found) {
		w.edits.add(i, end, []byte(zero))
	}
}

// digest is what a message of SQS says of its body, which clients check.
type digest struct {
	at   [2]int // of the member MD5OfBody
	body []byte // that was put in the place of the body; nil: it stays
}

func (d *digest) member(w *jsonWalk, name []byte, i, end, before int) {
	switch string(name) {
	case md5Member:
		d.at = [2]int{i, end}
	case bodyMember:
		if len(w.edits.list) == before+1 {
			out := w.edits.list[before].text
			_, plain := jsontext.Text(out).Quoted(0)
			d.body = append([]byte{}, unquote(out, plain)...)
		}
	}
}

func (d *digest) write(w *jsonWalk, a at) {
	if d.body == nil || d.at[1] == 0 || !w.m.hasDigest(a) {
		return
	}
	w.edits.add(d.at[0], d.at[1], quote(md5Of(d.body)))
}

const (
	md5Member  = "MD5OfBody"
	bodyMember = "Body"
)

// hasDigest tells a message of SQS.
func (m *Masker) hasDigest(a at) bool {
	sh := m.shapeOf(int(a.shape))
	return slices.ContainsFunc(sh.Members, func(of modelfile.Member) bool { return of.Name == md5Member })
}

func md5Of(body []byte) []byte {
	sum := md5.Sum(body)
	return hex.AppendEncode(nil, sum[:])
}

// unquote returns what a string says; it is well formed.
func unquote(b []byte, plain bool) []byte {
	if plain {
		return b[1 : len(b)-1]
	}
	var s string
	if json.Unmarshal(b, &s) != nil {
		return b[1 : len(b)-1]
	}
	return []byte(s)
}

const hexDigits = "0123456789abcdef"

// quote writes a string.
func quote(s []byte) []byte {
	out := append(make([]byte, 0, len(s)+2), '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < ' ':
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}
