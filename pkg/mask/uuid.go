package mask

import "encoding/hex"

// hashUUID appends a UUID (version 8, RFC 9562) made of the hash of one. Both formats give the same.
func (p *Plan) hashUUID(dst, value []byte, binary bool) (out []byte, null bool) {
	var id [16]byte
	if binary {
		if len(value) != len(id) {
			return dst, true
		}
		copy(id[:], value)
	} else if !parseUUID(&id, value) {
		return dst, true
	}
	if !p.key.set {
		return dst, true
	}
	sum := p.key.sum(id[:])
	copy(id[:], sum[:])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	if binary {
		return append(dst, id[:]...), false
	}
	for i, part := range [...][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst, false
}

// parseUUID reads the form PostgreSQL writes: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12.
func parseUUID(id *[16]byte, text []byte) bool {
	if len(text) != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-' {
		return false
	}
	var digits [32]byte
	n := copy(digits[:], text[:8])
	n += copy(digits[n:], text[9:13])
	n += copy(digits[n:], text[14:18])
	n += copy(digits[n:], text[19:23])
	copy(digits[n:], text[24:])
	_, err := hex.Decode(id[:], digits[:])
	return err == nil
}
