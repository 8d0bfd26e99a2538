package policy

import "encoding/binary"

// SignedRevision is what the signature of a policy revision covers: a purpose, the revision's number in eight bytes, big
// endian, and the digest of its bundle, which is Bundle.Digest.
func SignedRevision(number uint64, digest []byte) []byte {
	const purpose = "writ policy revision v1"
	out := make([]byte, 0, len(purpose)+8+len(digest))
	out = append(out, purpose...)
	out = binary.BigEndian.AppendUint64(out, number)
	return append(out, digest...)
}
