package mask

import "fmt"

const (
	// streamTail is how much of what came is kept back: longer than anything that has spaces in it and was found.
	streamTail = 512
	// maxCarry is the longest word or secret a Stream waits for the end of.
	maxCarry = 64 << 10
)

// Stream masks one long text that comes in chunks cut anywhere. It keeps back what may yet become part of a hit. Custom
// patterns are found as long as a match is no longer than 512 bytes. Not safe for concurrent use.
type Stream struct {
	det   *Detector
	carry []byte
	hits  []Hit
	err   error
}

// NewStream returns a stream.
func (d *Detector) NewStream() *Stream { return &Stream{det: d} }

// Write takes a chunk and appends what is certain by now to dst, masked. It fails with ErrTooLarge, and goes on
// failing, when a word or a secret is over 64 KiB; then nothing more of the text may be sent.
func (s *Stream) Write(dst, chunk []byte) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	s.carry = append(s.carry, chunk...)
	s.hits = s.det.Scan(s.hits[:0], s.carry)
	cut, inside := s.cut()
	if len(s.carry)-cut > maxCarry+streamTail {
		s.err = fmt.Errorf("%w: a word or secret of over %d bytes", ErrTooLarge, maxCarry)
		return nil, s.err
	}
	dst = s.det.redact(dst, s.carry[:cut], s.hits[:inside])
	s.carry = append(s.carry[:0], s.carry[cut:]...)
	return dst, nil
}

// Close appends the rest to dst, masked.
func (s *Stream) Close(dst []byte) ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	dst = s.det.Redact(dst, s.carry)
	s.carry, s.err = nil, fmt.Errorf("stream is closed")
	return dst, nil
}

// cut returns up to where the text is certain, which is between two words and in no hit, and how many hits are before.
func (s *Stream) cut() (at, inside int) {
	at = max(len(s.carry)-streamTail, 0)
	for at > 0 && isWord(s.carry[at-1]) {
		at--
	}
	for inside < len(s.hits) && s.hits[inside].End <= at {
		inside++
	}
	if inside < len(s.hits) && s.hits[inside].Start < at {
		at = s.hits[inside].Start
	}
	return at, inside
}

// isWord tells whether a byte can stand inside a hit that is longer than streamTail.
func isWord(c byte) bool { return isLocal(c) || c == '@' || c == '/' || c == '=' }
