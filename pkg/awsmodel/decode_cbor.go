package awsmodel

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// cborDecoder reads CBOR (RFC 8949) as rpc-v2-cbor uses it: keys are text, and the only tag is 1, a time.
type cborDecoder struct {
	*decoder
	in []byte
}

func (d *decoder) parseCBOR(raw []byte, shape int) (Value, error) {
	c := &cborDecoder{decoder: d, in: raw}
	v, err := c.read(d.shape(shape), "", 0)
	if err == nil && len(c.in) > 0 {
		err = refuse(ErrBody, "body", "something follows the document", "")
	}
	return v, err
}

// The major types of CBOR.
const (
	cborUint = iota
	cborNegative
	cborBytes
	cborText
	cborArray
	cborMap
	cborTag
	cborSimple
)

const (
	indefinite = 31
	cborBreak  = 0xff
)

var errCBOR = refuse(ErrBody, "body", "it is not CBOR", "")

// head reads the start of an item: its type, the low five bits and the argument.
func (c *cborDecoder) head() (major, info int, n uint64, err error) {
	if len(c.in) == 0 {
		return 0, 0, 0, errCBOR
	}
	major, info = int(c.in[0]>>5), int(c.in[0]&31)
	c.in = c.in[1:]
	switch {
	case info < 24:
		return major, info, uint64(info), nil
	case info <= 27:
		size := 1 << (info - 24)
		if len(c.in) < size {
			return 0, 0, 0, errCBOR
		}
		var b [8]byte
		copy(b[8-size:], c.in[:size])
		c.in = c.in[size:]
		return major, info, binary.BigEndian.Uint64(b[:]), nil
	case info == indefinite && major >= cborBytes && major <= cborMap:
		return major, info, 0, nil
	}
	return 0, 0, 0, errCBOR
}

// more counts an item of a container down, or looks for the break of an indefinite one.
func (c *cborDecoder) more(info int, n *uint64) (bool, error) {
	if info != indefinite {
		if *n == 0 {
			return false, nil
		}
		*n--
		return true, nil
	}
	if len(c.in) == 0 {
		return false, errCBOR
	}
	if c.in[0] == cborBreak {
		c.in = c.in[1:]
		return false, nil
	}
	return true, nil
}

func (c *cborDecoder) read(sh *modelfile.Shape, path string, depth int) (Value, error) {
	if err := c.value(depth); err != nil {
		return Value{}, err
	}
	major, info, n, err := c.head()
	if err != nil {
		return Value{}, err
	}
	v, err := c.item(major, info, n, sh, path, depth)
	return sensitive(v, sh), err
}

func (c *cborDecoder) item(major, info int, n uint64, sh *modelfile.Shape, path string, depth int) (Value, error) {
	is := func(kinds ...modelfile.Kind) bool {
		for _, k := range kinds {
			if sh.Kind == k || sh.Kind == modelfile.Document {
				return true
			}
		}
		return false
	}
	wrong := malformed(path, "it is of another type")
	switch major {
	case cborUint, cborNegative:
		if !is(modelfile.Integer, modelfile.Float, modelfile.Timestamp) {
			return Value{}, wrong
		}
		return integer(major, n), nil
	case cborText, cborBytes:
		s, err := c.string(major, info, n)
		if err != nil || !is(modelfile.Blob, modelfile.String) || sh.Kind != modelfile.Document && (sh.Kind == modelfile.Blob) != (major == cborBytes) {
			return Value{}, orElse(err, wrong)
		}
		if major == cborBytes {
			return Value{Kind: Bytes, Text: s}, nil
		}
		return Value{Kind: Text, Text: s}, nil
	case cborArray:
		if !is(modelfile.ListOf) {
			return Value{}, wrong
		}
		return c.array(info, n, sh, path, depth)
	case cborMap:
		if !is(modelfile.Structure, modelfile.MapOf) {
			return Value{}, wrong
		}
		return c.pairs(info, n, sh, path, depth)
	case cborTag:
		if n != 1 || !is(modelfile.Timestamp) {
			return Value{}, wrong
		}
		return c.read(sh, path, depth+1)
	}
	return c.simple(info, n, sh, wrong)
}

func orElse(err, instead error) error {
	if err != nil {
		return err
	}
	return instead
}

func integer(major int, n uint64) Value {
	s := strconv.FormatUint(n, 10)
	if major == cborNegative {
		if n == math.MaxUint64 {
			s = "18446744073709551616"
		} else {
			s = strconv.FormatUint(n+1, 10)
		}
		s = "-" + s
	}
	return Value{Kind: Number, Text: s}
}

func (c *cborDecoder) simple(info int, n uint64, sh *modelfile.Shape, wrong error) (Value, error) {
	number := sh.Kind == modelfile.Float || sh.Kind == modelfile.Timestamp || sh.Kind == modelfile.Document || sh.Kind == modelfile.Integer
	switch {
	case info == 20 || info == 21:
		if sh.Kind != modelfile.Boolean && sh.Kind != modelfile.Document {
			return Value{}, wrong
		}
		return boolean(info == 21), nil
	case info == 22 || info == 23: // null and undefined
		return Value{}, nil
	case !number:
		return Value{}, wrong
	case info == 25:
		return float(half(uint16(n)), 32), nil
	case info == 26:
		return float(float64(math.Float32frombits(uint32(n))), 32), nil
	case info == 27:
		return float(math.Float64frombits(n), 64), nil
	}
	return Value{}, errCBOR
}

func float(f float64, bits int) Value {
	return Value{Kind: Number, Text: strconv.FormatFloat(f, 'g', -1, bits)}
}

// half is RFC 8949's appendix D: a number of 16 bits.
func half(n uint16) float64 {
	exponent, mantissa := int(n>>10)&31, float64(n&1023)
	var f float64
	switch exponent {
	case 0:
		f = math.Ldexp(mantissa, -24)
	case 31:
		f = math.Inf(1)
		if mantissa != 0 {
			f = math.NaN()
		}
	default:
		f = math.Ldexp(mantissa+1024, exponent-25)
	}
	if n&0x8000 != 0 {
		f = -f
	}
	return f
}

func (c *cborDecoder) string(major, info int, n uint64) (string, error) {
	if info != indefinite {
		if n > uint64(len(c.in)) {
			return "", errCBOR
		}
		s := string(c.in[:n])
		c.in = c.in[n:]
		if major == cborText && !utf8.ValidString(s) {
			return "", refuse(ErrBody, "body", "a text is not UTF-8", "")
		}
		return s, nil
	}
	var out []byte
	for {
		if more, err := c.more(info, &n); err != nil || !more {
			return string(out), err
		}
		m, i, size, err := c.head()
		if err != nil || m != major || i == indefinite {
			return "", errCBOR
		}
		if err := c.value(0); err != nil {
			return "", err
		}
		chunk, err := c.string(major, i, size)
		if err != nil {
			return "", err
		}
		out = append(out, chunk...)
	}
}

func (c *cborDecoder) array(info int, n uint64, sh *modelfile.Shape, path string, depth int) (Value, error) {
	v := Value{Kind: Array}
	elem := sh
	if sh.Kind == modelfile.ListOf {
		elem = c.shape(sh.Elem)
	}
	for {
		more, err := c.more(info, &n)
		if err != nil || !more {
			return v, err
		}
		x, err := c.read(elem, path+"[]", depth+1)
		if err != nil {
			return v, err
		}
		if x.Kind != NoValue {
			v.Items = append(v.Items, x)
		}
	}
}

func (c *cborDecoder) pairs(info int, n uint64, sh *modelfile.Shape, path string, depth int) (Value, error) {
	v := Value{Kind: Map}
	if sh.Kind == modelfile.Structure {
		v.Kind = Struct
	}
	seen := map[string]bool{}
	for {
		more, err := c.more(info, &n)
		if err != nil || !more {
			return v, err
		}
		major, i, size, err := c.head()
		if err != nil || major != cborText {
			return v, errCBOR
		}
		name, err := c.string(major, i, size)
		if err != nil {
			return v, err
		}
		if seen[name] {
			return v, malformed(join(path, name), "it stands there twice")
		}
		seen[name] = true
		of, keep := c.member(sh, name, path)
		x, err := c.read(of, join(path, name), depth+1)
		if err != nil {
			return v, err
		}
		if keep && x.Kind != NoValue {
			v.Fields = append(v.Fields, Field{name, x})
		}
	}
}

func (c *cborDecoder) member(sh *modelfile.Shape, name, path string) (*modelfile.Shape, bool) {
	switch sh.Kind {
	case modelfile.MapOf:
		return c.shape(sh.Elem), true
	case modelfile.Document:
		return sh, true
	}
	if m := c.field(sh, name, false); m != nil {
		return c.shape(m.Shape), true
	}
	c.report(join(path, name))
	return &modelfile.Shape{Kind: modelfile.Document}, false
}
