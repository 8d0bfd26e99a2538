package sigv4

import (
	"strconv"
	"strings"
)

// Mode is how a body is signed.
type Mode int

// The zero mode is none that a body is read in.
const (
	_              Mode = iota
	Absent              // no x-amz-content-sha256: what is signed is the body's hash, so that [Request.BodyHash] is needed
	Hashed              // the body's SHA-256 is in x-amz-content-sha256
	Unsigned            // UNSIGNED-PAYLOAD: nothing of the body is signed
	UnsignedChunks      // STREAMING-UNSIGNED-PAYLOAD-TRAILER: aws-chunked, with a trailer
	SignedChunks        // STREAMING-AWS4-HMAC-SHA256-PAYLOAD: aws-chunked, each chunk signed
	SignedTrailer       // STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER: the same, and the trailer signed
)

var modeNames = [...]string{"", "absent", "hashed", "unsigned", "unsigned chunks", "signed chunks", "signed chunks and trailer"}

func (m Mode) String() string {
	if m < 0 || int(m) >= len(modeNames) {
		return ""
	}
	return modeNames[m]
}

// Chunked reports a body in the content coding aws-chunked.
func (m Mode) Chunked() bool { return m >= UnsignedChunks }

// What x-amz-content-sha256 says besides a hash. Source: the S3 API Reference, "Signature Calculations for the
// Authorization Header: Transferring Payload in Multiple Chunks".
const (
	unsignedPayload  = "UNSIGNED-PAYLOAD"
	unsignedTrailer  = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	signedChunks     = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	signedTrailer    = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	emptyHash        = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	maxDecodedLength = 5 << 40 // bytes; an object's limit in S3
	maxTrailers      = 8
)

// Payload says how a body is signed.
type Payload struct {
	Mode    Mode
	Hash    string   // what stands for the body in the signature; "" if Mode is Absent
	Decoded int64    // bytes of the body within the chunks; -1 if Mode is not chunked
	Trailer []string // names announced by X-Amz-Trailer, in lower case
}

func (a *Authorization) readPayload(r *Request) error {
	const part = "header X-Amz-Content-Sha256"
	value, ok := r.get(qContent)
	for _, p := range a.params {
		if p.name == qContent && ok {
			return refuse(ErrPayload, part, "given in the query too", "send it once")
		} else if p.name == qContent {
			value, ok = decode(p.value), true
		}
	}
	if !ok {
		return a.absentPayload()
	}
	a.Payload = Payload{Hash: value, Decoded: -1}
	switch value {
	case unsignedPayload:
		a.Payload.Mode = Unsigned
		return nil
	case unsignedTrailer:
		a.Payload.Mode = UnsignedChunks
	case signedChunks:
		a.Payload.Mode = SignedChunks
	case signedTrailer:
		a.Payload.Mode = SignedTrailer
	default:
		a.Payload.Mode = Hashed
		return checkHash(value)
	}
	if a.Presigned || a.Algorithm != HMAC && a.Payload.Mode != UnsignedChunks {
		return refuse(ErrPayload, part, "a kind that does not go with the way the request is signed", "")
	}
	return a.Payload.readChunked(r)
}

// checkHash refuses what is no hash, and says what it is if AWS knows it.
func checkHash(value string) error {
	const part = "header X-Amz-Content-Sha256"
	switch kind, streams := strings.CutPrefix(value, "STREAMING-"); {
	case isHash(value):
		return nil
	case streams && strings.HasSuffix(kind, "-EVENTS"):
		return refuse(ErrEventStream, part, "a stream of events", "use the operation without streaming input")
	case streams && strings.HasPrefix(kind, "AWS4-ECDSA-"):
		return refuse(ErrPayload, part, "chunks signed by "+string(ECDSA)+" are not supported", "sign them by "+string(HMAC)+", or send the body whole")
	}
	return refuse(ErrPayload, part, "neither a SHA-256 in lower-case hex nor a known kind", "")
}

// absentPayload is the mode of a request without x-amz-content-sha256. S3 takes none in the Authorization header form.
func (a *Authorization) absentPayload() error {
	a.Payload = Payload{Mode: Absent, Decoded: -1}
	switch {
	case !rawPath(a.Scope.Service):
	case a.Presigned:
		a.Payload.Mode, a.Payload.Hash = Unsigned, unsignedPayload
	default:
		return refuse(ErrPayload, "header X-Amz-Content-Sha256", "missing", "send it; S3 needs it")
	}
	return nil
}

func (p *Payload) readChunked(r *Request) error {
	const part = "header X-Amz-Decoded-Content-Length"
	value, _ := r.get("X-Amz-Decoded-Content-Length")
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil || n > maxDecodedLength || len(value) > 1 && value[0] == '0' {
		return refuse(ErrPayload, part, "not a number of bytes up to 5 TiB", "send it with the body's length before chunking")
	}
	p.Decoded = int64(n)
	for _, list := range r.Header["X-Amz-Trailer"] {
		for name := range strings.SplitSeq(list, ",") {
			name = strings.ToLower(strings.Trim(name, " "))
			if !isHeaderName(name) || len(p.Trailer) == maxTrailers {
				return refuse(ErrPayload, "header X-Amz-Trailer", "not names of headers, at most 8", "")
			}
			p.Trailer = append(p.Trailer, name)
		}
	}
	if p.Mode == SignedChunks && len(p.Trailer) > 0 || p.Mode == SignedTrailer && len(p.Trailer) == 0 {
		return refuse(ErrPayload, "header X-Amz-Trailer", "does not fit X-Amz-Content-Sha256", "")
	}
	return nil
}

func isHash(s string) bool {
	for i := range len(s) {
		if !isLowerHex(s[i]) {
			return false
		}
	}
	return len(s) == 64
}
