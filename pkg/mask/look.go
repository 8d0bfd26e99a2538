package mask

import (
	"encoding/binary"
	"math"
	"strconv"
)

// find says what is to become of a value that no rule masks, and appends its hits.
func (d *Detector) find(hits []Hit, value []byte, c *planned) ([]Hit, verdict) {
	switch c.family {
	case familyOther, familyUUID:
		return hits, asItWas
	case familyInt8, familyNumeric, familyFloat8:
		if d.numbers && d.on[Card] && cardNumber(value, c) {
			return hits, nulled
		}
		return hits, asItWas
	case familyJSON, familyJSONB:
		return d.findJSON(hits, value, c)
	}
	hits = d.Scan(hits, value)
	switch {
	case len(hits) == 0:
		return hits, asItWas
	case c.family == familyTexts, c.family == familyUser && c.binary:
		return hits, nulled // a hit may span what holds the value together
	}
	return hits, changed
}

// write appends the value with its hits masked.
func (d *Detector) write(dst, value []byte, hits []Hit, c *planned) []byte {
	if c.family == familyJSON || c.family == familyJSONB {
		return d.writeJSON(dst, value, hits, c)
	}
	return d.redact(dst, value, hits)
}

// cardNumber tells whether a numeric value is a card number.
func cardNumber(value []byte, c *planned) bool {
	var room [24]byte
	if !c.binary {
		if c.family == familyFloat8 {
			f, err := strconv.ParseFloat(string(value), 64)
			return len(value) >= minCardDigits && err == nil && floatCard(f)
		}
		return isCardText(value)
	}
	switch c.family {
	case familyInt8:
		return len(value) == 8 && isCardText(strconv.AppendInt(room[:0], int64(binary.BigEndian.Uint64(value)), 10))
	case familyFloat8:
		return len(value) == 8 && floatCard(math.Float64frombits(binary.BigEndian.Uint64(value)))
	}
	digits, ok := numericDigits(room[:0], value)
	return ok && isCardText(digits)
}

func floatCard(f float64) bool {
	var room [24]byte
	return f >= 1e12 && f < 1e19 && f == math.Trunc(f) && isCardText(strconv.AppendFloat(room[:0], f, 'f', 0, 64))
}

// isCardText tells whether a number's text is a card number; a fraction of zeroes is none.
func isCardText(value []byte) bool {
	n := digitsEnd(value, 0)
	for i, c := range value[n:] {
		if i == 0 && c != '.' || i > 0 && c != '0' {
			return false
		}
	}
	return isCard(value[:n])
}

// numericDigits appends the digits in front of the point of a numeric in binary format (numeric_send in PostgreSQL's
// numeric.c: count of base-10000 digits, weight, sign, scale, digits); false if they are too many for a card.
func numericDigits(dst, value []byte) ([]byte, bool) {
	if len(value) < 8 || len(value)%2 != 0 {
		return dst, false
	}
	n, weight := int(binary.BigEndian.Uint16(value)), int(int16(binary.BigEndian.Uint16(value[2:])))
	if len(value) != 8+2*n || weight < 3 || weight > 4 {
		return dst, false
	}
	for i := range n {
		digit := binary.BigEndian.Uint16(value[8+2*i:])
		if digit > 9999 || i > weight && digit != 0 {
			return dst, false
		}
	}
	var whole uint64
	for i := range weight + 1 {
		whole *= 10000
		if i < n {
			whole += uint64(binary.BigEndian.Uint16(value[8+2*i:]))
		}
	}
	if whole >= 1e19 {
		return dst, false
	}
	return strconv.AppendUint(dst, whole, 10), true
}
