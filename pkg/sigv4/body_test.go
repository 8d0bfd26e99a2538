package sigv4

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var upstreamCredentials = Credentials{KeyID: "ASIAUPSTREAM", Secret: "upstream secret", SessionToken: "upstream token"}

// upload is one request with a body, verified and signed for the upstream.
type upload struct {
	v, again *Verified // again is how the upstream verifies what is sent on
	to       *Signed
}

func newUpload(t testing.TB, payload string, decoded int64, trailer ...string) upload {
	t.Helper()
	h := http.Header{}
	if strings.HasPrefix(payload, "STREAMING-") {
		h.Set("X-Amz-Decoded-Content-Length", itoa(decoded))
	}
	if len(trailer) > 0 {
		h["X-Amz-Trailer"] = trailer
	}
	base := &Request{Method: "PUT", Host: "s3.amazonaws.com", Path: "/b/k", Header: h}
	target := Target{Service: "s3", Region: "us-east-1"}
	v, err := verify(t, signed(t, base, testCredentials, target, payload))
	if err != nil {
		t.Fatal(err)
	}
	base.Header = v.Forward()
	to, err := NewSigner(nil).Sign(base, upstreamCredentials, target, v.PayloadHash(), testTime)
	if err != nil {
		t.Fatal(err)
	}
	to.Set(base.Header)
	a, err := Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	again, err := newVerifier(t, testTime).Verify(base, a, upstreamCredentials.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return upload{v, again, to}
}

// chunks encodes a body as a client does. With a chain, its chunks and trailer are signed.
func chunks(c *chain, size int, data string, trailer ...string) string {
	var b strings.Builder
	chunk := func(data string) {
		fmt.Fprintf(&b, "%x", len(data))
		if c != nil {
			sum := sha256.Sum256([]byte(data))
			b.WriteString(chunkExtension + string(c.chunk(&sum)))
		}
		b.WriteString("\r\n" + data)
		if data != "" {
			b.WriteString("\r\n")
		}
	}
	for rest := data; rest != ""; rest = rest[min(size, len(rest)):] {
		chunk(rest[:min(size, len(rest))])
	}
	chunk("")
	for _, line := range trailer {
		b.WriteString(line + "\r\n")
	}
	if c != nil && len(trailer) > 0 {
		sum := sha256.Sum256([]byte(strings.Join(trailer, "\n") + "\n"))
		b.WriteString(trailerSignature + ":" + string(c.trailer(&sum)) + "\r\n")
	}
	return b.String() + "\r\n"
}

func sample(n int) string {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return string(b)
}

func (u upload) chainOf() *chain { c := u.v.chain; return &c }

// wire is the body as a client sends it.
func (u upload) wire(size int, data string) string {
	const crc = "x-amz-checksum-crc32:AAAAAA=="
	switch u.v.Payload.Mode {
	case UnsignedChunks:
		return chunks(nil, size, data, crc)
	case SignedChunks:
		return chunks(u.chainOf(), size, data)
	case SignedTrailer:
		return chunks(u.chainOf(), size, data, crc)
	}
	return data
}

func hashOf(data string) string { return hexOf(sha256.Sum256([]byte(data))) }

func uploads(t testing.TB, data string) map[string]upload {
	n := int64(len(data))
	return map[string]upload{
		"hashed":          newUpload(t, hashOf(data), -1),
		"unsigned":        newUpload(t, unsignedPayload, -1),
		"unsigned chunks": newUpload(t, unsignedTrailer, n, "x-amz-checksum-crc32"),
		"signed chunks":   newUpload(t, signedChunks, n),
		"signed trailer":  newUpload(t, signedTrailer, n, "x-amz-checksum-crc32"),
	}
}

// What comes out has the same length, verifies by the upstream's key, and holds the same payload; whoever reads along
// sees that too.
func TestBody(t *testing.T) {
	for _, n := range []int{0, 1, 2, 1000, 8192, 100_000} {
		data := sample(n)
		for name, u := range uploads(t, data) {
			for _, size := range []int{1 << 16, 333 + n/10} {
				t.Run(fmt.Sprint(name, n, "/", size), func(t *testing.T) { testBody(t, u, u.wire(size, data), data) })
			}
		}
	}
}

func testBody(t *testing.T, u upload, wire, data string) {
	for _, slow := range []func(io.Reader) io.Reader{
		func(r io.Reader) io.Reader { return r }, iotest.DataErrReader, iotest.HalfReader,
	} {
		var tee bytes.Buffer
		body, err := NewBody(slow(strings.NewReader(wire)), u.v, u.to, &tee)
		if err != nil {
			t.Fatal(err)
		}
		sent, err := io.ReadAll(body)
		if err != nil || len(sent) != len(wire) || tee.String() != data {
			t.Fatalf("%d of %d bytes, %d of %d seen, %v", len(sent), len(wire), tee.Len(), len(data), err)
		}
		if m := u.v.Payload.Mode; (m == SignedChunks || m == SignedTrailer) == (string(sent) == wire) {
			t.Error("signed for the wrong key")
		}
		wantPayload(t, u.again, string(sent), data)
	}
	p, err := NewPayload(iotest.OneByteReader(strings.NewReader(wire)), u.v)
	if err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(p, []byte(data)); err != nil {
		t.Error(err)
	}
}

// However a body is changed or cut, what is signed of it never gets through whole.
func TestBodyTampering(t *testing.T) {
	r := random{rand.New(rand.NewPCG(21, 22))}
	data := sample(3000)
	for name, u := range uploads(t, data) {
		if u.v.Payload.Mode == Unsigned {
			continue
		}
		wire := u.wire(700, data)
		for range 1500 {
			b := []byte(wire)
			at := r.IntN(len(b))
			switch r.IntN(4) {
			case 0:
				b = b[:at]
			case 1:
				b = slices.Insert(b, at, byte(r.Uint32()))
			case 2:
				b = append(b, "x"...)
			default:
				b[at] ^= 1 << r.IntN(8)
			}
			got, err := read(t, bytes.NewReader(b), u)
			if err == nil && !sameUnsigned(u, string(got), data) {
				t.Fatalf("%s: changed at %d, and through", name, at)
			}
			whole := len(wire)
			if u.v.Payload.Mode == Hashed {
				whole = max(len(b), 1) // whatever its length, the last byte is kept back
			}
			if err != nil && len(got) >= whole {
				t.Fatalf("%s: changed at %d, and %d bytes are sent before %v", name, at, len(got), err)
			}
		}
	}
}

// sameUnsigned allows changes that nothing signs: the data of unsigned chunks, and spaces around a trailer's value.
func sameUnsigned(u upload, sent, data string) bool {
	p, err := NewPayload(strings.NewReader(sent), u.again)
	if err != nil {
		return false
	}
	got, err := io.ReadAll(p)
	return err == nil && len(got) == len(data) && (u.v.Payload.Mode == UnsignedChunks || string(got) == data)
}

func read(t testing.TB, src io.Reader, u upload) ([]byte, error) {
	t.Helper()
	body, err := NewBody(src, u.v, u.to, nil)
	if err != nil {
		t.Fatal(err)
	}
	return io.ReadAll(body)
}

func TestChunkedRefuses(t *testing.T) {
	const sig = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := map[string]struct {
		payload string
		decoded int64
		trailer []string
		wire    string
		kind    error
	}{
		"good":                  {unsignedTrailer, 3, nil, "3\r\nabc\r\n0\r\n\r\n", nil},
		"good trailer":          {unsignedTrailer, 3, []string{"x-a"}, "3\r\nabc\r\n0\r\nx-a:b\r\n\r\n", nil},
		"two trailers":          {unsignedTrailer, 0, []string{"x-a,x-b"}, "0\r\nx-b:1\r\nx-a:2\r\n\r\n", nil},
		"empty value":           {unsignedTrailer, 0, []string{"x-a"}, "0\r\nx-a:\r\n\r\n", nil},
		"upper-case size":       {unsignedTrailer, 10, nil, "A\r\n0123456789\r\n0\r\n\r\n", nil},
		"nothing":               {unsignedTrailer, 3, nil, "", ErrChunk},
		"no end":                {unsignedTrailer, 3, nil, "3\r\nabc\r\n", ErrChunk},
		"no end after zero":     {unsignedTrailer, 3, nil, "3\r\nabc\r\n0\r\n", ErrChunk},
		"half an end":           {unsignedTrailer, 3, nil, "3\r\nabc\r\n0\r\n\r", ErrChunk},
		"line feeds":            {unsignedTrailer, 3, nil, "3\nabc\n0\n\n", ErrChunk},
		"line feed after zero":  {unsignedTrailer, 3, nil, "3\r\nabc\r\n0\r\n\n", ErrChunk},
		"data too long":         {unsignedTrailer, 3, nil, "3\r\nabcd\r\n0\r\n\r\n", ErrChunk},
		"no line end":           {unsignedTrailer, 3, nil, "3\r\nabcXX0\r\n\r\n", ErrChunk},
		"leading zero":          {unsignedTrailer, 3, nil, "03\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"two zeros":             {unsignedTrailer, 3, nil, "3\r\nabc\r\n00\r\n\r\n", ErrChunk},
		"prefix":                {unsignedTrailer, 3, nil, "0x3\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"sign":                  {unsignedTrailer, 3, nil, "+3\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"space":                 {unsignedTrailer, 3, nil, "3 \r\nabc\r\n0\r\n\r\n", ErrChunk},
		"no size":               {unsignedTrailer, 3, nil, "\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"huge size":             {unsignedTrailer, 3, nil, "fffffffffffffffff\r\nabc", ErrChunk},
		"negative by overflow":  {unsignedTrailer, 3, nil, "ffffffffffffffff\r\nabc", ErrChunk},
		"extension":             {unsignedTrailer, 3, nil, "3;a=b\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"signature of unsigned": {unsignedTrailer, 3, nil, "3;chunk-signature=" + sig + "\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"longer than said":      {unsignedTrailer, 3, nil, "4\r\nabcd\r\n0\r\n\r\n", ErrChunk},
		"longer in two":         {unsignedTrailer, 3, nil, "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n", ErrChunk},
		"shorter than said":     {unsignedTrailer, 4, nil, "3\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"goes on":               {unsignedTrailer, 3, nil, "3\r\nabc\r\n0\r\n\r\nx", ErrChunk},
		"ends twice":            {unsignedTrailer, 3, nil, "3\r\nabc\r\n0\r\n\r\n0\r\n\r\n", ErrChunk},
		"long line":             {unsignedTrailer, 3, nil, strings.Repeat("0", 2*maxLine) + "3\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"endless line":          {unsignedTrailer, 3, nil, strings.Repeat("0", 1<<17), ErrChunk},
		"trailer not announced": {unsignedTrailer, 0, nil, "0\r\nx-a:b\r\n\r\n", ErrChunk},
		"another trailer":       {unsignedTrailer, 0, []string{"x-a"}, "0\r\nx-b:b\r\n\r\n", ErrChunk},
		"trailer missing":       {unsignedTrailer, 0, []string{"x-a"}, "0\r\n\r\n", ErrChunk},
		"trailer twice":         {unsignedTrailer, 0, []string{"x-a,x-b"}, "0\r\nx-a:b\r\nx-a:b\r\n\r\n", ErrChunk},
		"trailer without colon": {unsignedTrailer, 0, []string{"x-a"}, "0\r\nx-a\r\n\r\n", ErrChunk},
		"trailer in upper case": {unsignedTrailer, 0, []string{"x-a"}, "0\r\nX-A:b\r\n\r\n", ErrChunk},
		"space before colon":    {unsignedTrailer, 0, []string{"x-a"}, "0\r\nx-a :b\r\n\r\n", ErrChunk},
		"control in trailer":    {unsignedTrailer, 0, []string{"x-a"}, "0\r\nx-a:b\x00\r\n\r\n", ErrChunk},
		"return in trailer":     {unsignedTrailer, 0, []string{"x-a"}, "0\r\nx-a:b\rc\r\n\r\n", ErrChunk},
		"trailer with LF":       {unsignedTrailer, 0, []string{"x-a"}, "0\r\nx-a:b\n\r\n", ErrChunk},
		"signature in trailer":  {unsignedTrailer, 0, []string{"x-a"}, "0\r\nx-a:b\r\nx-amz-trailer-signature:" + sig + "\r\n\r\n", ErrChunk},
		"no signature":          {signedChunks, 3, nil, "3\r\nabc\r\n0\r\n\r\n", ErrChunk},
		"short signature":       {signedChunks, 3, nil, "3;chunk-signature=" + sig[1:] + "\r\nabc\r\n", ErrChunk},
		"upper-case signature":  {signedChunks, 3, nil, "3;chunk-signature=" + strings.ToUpper(sig) + "\r\nabc\r\n", ErrChunk},
		"two extensions":        {signedChunks, 3, nil, "3;a=b;chunk-signature=" + sig + "\r\nabc\r\n", ErrChunk},
		"another extension":     {signedChunks, 3, nil, "3;Chunk-signature=" + sig + "\r\nabc\r\n", ErrChunk},
		"wrong signature":       {signedChunks, 3, nil, "3;chunk-signature=" + sig + "\r\nabc\r\n", ErrChunkSignature},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			u := newUpload(t, test.payload, test.decoded, test.trailer...)
			sent, err := read(t, strings.NewReader(test.wire), u)
			wantKind(t, err, test.kind)
			if err == nil && string(sent) != test.wire {
				t.Errorf("sent %q", sent)
			}
			_, err = NewPayload(strings.NewReader(test.wire), u.v)
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Of signed chunks, the trailer has rules of its own.
// A line that ends in LF alone, before another line end, is what minio-go writes; it goes on as it came.
func TestUnsignedTrailerOfMinIO(t *testing.T) {
	const wire = "3\r\nabc\r\n0\r\nx-a:b\n\r\n\r\n"
	got, err := read(t, strings.NewReader(wire), newUpload(t, unsignedTrailer, 3, "x-a"))
	if err != nil || string(got) != wire {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSignedTrailerRefuses(t *testing.T) {
	u := newUpload(t, signedTrailer, 0, "x-a,x-b")
	end := func(lines, signed string) string {
		c := u.chainOf()
		empty, sum := sha256.Sum256(nil), sha256.Sum256([]byte(signed))
		head := "0" + chunkExtension + string(c.chunk(&empty)) + "\r\n"
		return head + strings.ReplaceAll(lines, "SIG", trailerSignature+":"+string(c.trailer(&sum)))
	}
	tests := map[string]struct {
		lines, signed string
		kind          error
	}{
		"good":               {"x-a:1\r\nx-b:2\r\nSIG\r\n\r\n", "x-a:1\nx-b:2\n", nil},
		"minio":              {"x-a:1\nx-b:2\n\r\nSIG\r\n\r\n", "x-a:1\nx-b:2\n", nil},
		"spaces":             {"x-a: 1 \r\nx-b:2\r\nSIG\r\n\r\n", "x-a:1\nx-b:2\n", nil},
		"one missing":        {"x-a:1\r\nSIG\r\n\r\n", "x-a:1\n", ErrChunk},
		"another value":      {"x-a:1\r\nx-b:2\r\nSIG\r\n\r\n", "x-a:1\nx-b:3\n", ErrChunkSignature},
		"another order":      {"x-b:2\r\nx-a:1\r\nSIG\r\n\r\n", "x-a:1\nx-b:2\n", ErrChunkSignature},
		"no signature":       {"x-a:1\r\nx-b:2\r\n\r\n", "", ErrChunk},
		"signature not last": {"x-a:1\r\nSIG\r\nx-b:2\r\n\r\n", "x-a:1\n", ErrChunk},
		"two signatures":     {"x-a:1\r\nx-b:2\r\nSIG\r\nSIG\r\n\r\n", "x-a:1\nx-b:2\n", ErrChunk},
		"signature with LF":  {"x-a:1\r\nx-b:2\r\nSIG\n\r\n", "x-a:1\nx-b:2\n", ErrChunk},
		"LF, no empty line":  {"x-a:1\nx-b:2\nSIG\r\n\r\n", "x-a:1\nx-b:2\n", ErrChunk},
		"two empty lines":    {"x-a:1\nx-b:2\n\r\n\r\nSIG\r\n\r\n", "x-a:1\nx-b:2\n", ErrChunk},
		"empty line first":   {"\r\nx-a:1\r\nx-b:2\r\nSIG\r\n\r\n", "x-a:1\nx-b:2\n", ErrChunk},
		"no end":             {"x-a:1\r\nx-b:2\r\nSIG\r\n", "x-a:1\nx-b:2\n", ErrChunk},
		"goes on":            {"x-a:1\r\nx-b:2\r\nSIG\r\n\r\n ", "x-a:1\nx-b:2\n", ErrChunk},
		"malformed":          {"x-a:1\r\nx-b:2\r\n" + trailerSignature + ":00\r\n\r\n", "", ErrChunk},
		"spaced signature":   {"x-a:1\r\nx-b:2\r\n" + trailerSignature + ": " + goodSig + "\r\n\r\n", "", ErrChunk},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			wire := end(test.lines, test.signed)
			sent, err := read(t, strings.NewReader(wire), u)
			wantKind(t, err, test.kind)
			if err == nil {
				wantPayload(t, u.again, string(sent), "")
			}
		})
	}
}

// Chunks cannot change places, nor come from another request of the same key.
func TestChunksAreChained(t *testing.T) {
	data := sample(20)
	u := newUpload(t, signedChunks, 20)
	wire := u.wire(10, data)
	first := strings.Index(wire, data[:10]) + 12
	second := strings.Index(wire, data[10:]) + 12
	swapped := wire[first:second] + wire[:first] + wire[second:]
	_, err := read(t, strings.NewReader(swapped), u)
	wantKind(t, err, ErrChunkSignature)
	other := newUpload(t, signedChunks, 20)
	c := other.chainOf()
	copy(c.last[:], goodSig)
	_, err = read(t, strings.NewReader(chunks(c, 10, data)), u)
	wantKind(t, err, ErrChunkSignature)
}

func TestMaxChunk(t *testing.T) {
	for n, kind := range map[int]error{MaxChunk: nil, MaxChunk + 1: ErrChunk} {
		data := sample(n)
		u := newUpload(t, signedChunks, int64(n))
		_, err := read(t, strings.NewReader(u.wire(n, data)), u)
		wantKind(t, err, kind)
	}
}

func TestNewBodyRefuses(t *testing.T) {
	u, hashed := newUpload(t, signedChunks, 0), newUpload(t, emptyHash, -1)
	if _, err := NewBody(strings.NewReader(""), u.v, hashed.to, nil); err == nil {
		t.Error("a body that was signed for otherwise")
	}
	if _, err := NewBody(strings.NewReader(""), u.v, nil, nil); err == nil {
		t.Error("a body that is not signed for")
	}
	if _, err := NewBody(strings.NewReader(""), nil, u.to, nil); err == nil {
		t.Error("a body that is not verified")
	}
	if _, err := NewPayload(strings.NewReader(""), nil); err == nil {
		t.Error("a payload that is not verified")
	}
	asymmetric, err := NewSigner(nil).Sign(&Request{Method: "PUT", Host: "h", Path: "/"}, testCredentials, Target{Service: "s3", RegionSet: []string{"*"}}, signedChunks, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewBody(strings.NewReader(""), u.v, asymmetric, nil); err == nil {
		t.Error("chunks for a key pair")
	}
}

var errBroken = errors.New("broken")

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

// Errors of the source and of who reads along come out as they are.
func TestBodyErrors(t *testing.T) {
	data := sample(100)
	for name, u := range uploads(t, data) {
		wire := u.wire(50, data)
		_, err := read(t, io.MultiReader(strings.NewReader(wire[:len(wire)/2]), iotest.ErrReader(errBroken)), u)
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", name, err)
		}
		_, err = read(t, io.MultiReader(strings.NewReader(wire), iotest.ErrReader(errBroken)), u)
		if !errors.Is(err, errBroken) {
			t.Errorf("%s, at the end: %v", name, err)
		}
		body, err := NewBody(strings.NewReader(wire), u.v, u.to, brokenWriter{})
		if err != nil {
			t.Fatal(err)
		}
		if sent, err := io.ReadAll(body); !errors.Is(err, errBroken) || len(sent) >= len(wire) || u.v.Payload.Mode >= SignedChunks && len(sent) > 0 {
			t.Errorf("%s, reading along: %v after %d bytes", name, err, len(sent))
		}
	}
}

// A body of 64 MiB takes no more memory than a chunk.
func TestBodyMemory(t *testing.T) {
	const chunk, count = 1 << 16, 1024
	u := newUpload(t, signedChunks, chunk*count)
	c := u.chainOf()
	src, w := io.Pipe()
	go func() {
		data := make([]byte, chunk)
		sum := sha256.Sum256(data)
		for range count {
			fmt.Fprintf(w, "%x%s%s\r\n%s\r\n", chunk, chunkExtension, c.chunk(&sum), data)
		}
		sum = sha256.Sum256(nil)
		fmt.Fprintf(w, "0%s%s\r\n\r\n", chunkExtension, c.chunk(&sum))
		w.Close()
	}()
	body, err := NewBody(src, u.v, u.to, nil)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, body)
	if err != nil || n < chunk*count {
		t.Fatal(n, err)
	}
	if got := cap(body.(*chunkedBody).buf); got > 4*chunk {
		t.Errorf("%d bytes are held", got)
	}
}

// CheckBody and the reader of a payload agree, about every body and mode.
func TestCheckBody(t *testing.T) {
	data := sample(1000)
	for name, u := range uploads(t, data) {
		for _, body := range []string{data, data[:999], data + "x", "", "x" + data[1:]} {
			err := u.v.CheckBody([]byte(body))
			if name != "hashed" {
				if err == nil {
					t.Errorf("%s: a body is checked whose hash nobody signed", name)
				}
				continue
			}
			p, perr := NewPayload(strings.NewReader(body), u.v)
			if perr == nil {
				_, perr = io.ReadAll(p)
			}
			if (err == nil) != (body == data) || errors.Is(err, ErrContent) != errors.Is(perr, ErrContent) {
				t.Errorf("%d bytes: %v, the reader says %v", len(body), err, perr)
			}
		}
	}
	var none *Verified
	if none.CheckBody(nil) == nil {
		t.Error("nothing was verified")
	}
}
