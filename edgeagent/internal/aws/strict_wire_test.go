package aws

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/pkg/sigv4"
	"github.com/writhq/writ/test/s3test"
)

const signedTrailer = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"

// chunker signs chunks and a trailer by the words of the S3 API Reference, for who has the client's key.
type chunker struct {
	date, scope, last string
	key               []byte
	out               bytes.Buffer
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

func hexHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func newChunker(secret, date, seed string) *chunker {
	key := []byte("AWS4" + secret)
	for _, part := range []string{date[:8], s3test.Region, "s3", "aws4_request"} {
		key = mac(key, part)
	}
	return &chunker{date: date, scope: date[:8] + "/" + s3test.Region + "/s3/aws4_request", last: seed, key: key}
}

func (c *chunker) chunk(data []byte) {
	c.last = hex.EncodeToString(mac(c.key, strings.Join([]string{"AWS4-HMAC-SHA256-PAYLOAD", c.date, c.scope, c.last, hexHash(nil), hexHash(data)}, "\n")))
	fmt.Fprintf(&c.out, "%x;chunk-signature=%s\r\n%s", len(data), c.last, data)
	if len(data) > 0 {
		c.out.WriteString("\r\n")
	}
}

func (c *chunker) trailer(name, value string) {
	signature := hex.EncodeToString(mac(c.key, strings.Join([]string{"AWS4-HMAC-SHA256-TRAILER", c.date, c.scope, c.last, hexHash([]byte(name + ":" + value + "\n"))}, "\n")))
	fmt.Fprintf(&c.out, "%s:%s\r\nx-amz-trailer-signature:%s\r\n\r\n", name, value, signature)
}

// signedUpload is a put in signed chunks of 64 KiB with a signed checksum behind them. spoil may change what is sent.
func (b *bed) signedUpload(t *testing.T, bucket, key string, content []byte, spoil func([]byte)) (int, string) {
	t.Helper()
	access := b.Token(t, "grant-1")
	header := http.Header{
		"Content-Encoding": {"aws-chunked"}, "X-Amz-Decoded-Content-Length": {fmt.Sprint(len(content))}, "X-Amz-Trailer": {"x-amz-checksum-crc32"},
	}
	r := &sigv4.Request{Method: http.MethodPut, Host: b.addr, Path: "/" + bucket + "/" + key, Header: header, Length: -1}
	signed, err := sigv4.NewSigner(nil).Sign(r, sigv4.Credentials{KeyID: awskey.KeyID(access), Secret: enforcetest.ClientSecret, SessionToken: access},
		sigv4.Target{Service: "s3", Region: s3test.Region}, signedTrailer, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	signed.Set(header)
	_, seed, _ := strings.Cut(signed.Authorization, "Signature=")
	c := newChunker(enforcetest.ClientSecret, signed.Date, seed)
	for rest := content; ; rest = rest[min(len(rest), 64<<10):] {
		c.chunk(rest[:min(len(rest), 64<<10)])
		if len(rest) == 0 {
			break
		}
	}
	c.trailer("x-amz-checksum-crc32", base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(content))))
	if spoil != nil {
		spoil(c.out.Bytes())
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, "http://"+b.addr+r.Path, &c.out)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text)
}

// TestStrictSignedTrailer: chunks and the checksum behind them are signed anew, and nothing that was changed on the way is stored.
func TestStrictSignedTrailer(t *testing.T) {
	b := newStrict(t)
	bucket, content := b.bucket(t, "trailers"), noise(300_000)
	if code, text := b.signedUpload(t, bucket, "good", content, nil); code != http.StatusOK {
		t.Fatalf("%d %s", code, text)
	}
	b.holds(t, bucket, "good", content)
	if sent := payloads(b.reached()); !sent[signedTrailer] {
		t.Errorf("sent on as %v", sent)
	}
	for what, spoil := range map[string]func([]byte){
		"a byte of the last chunk": func(w []byte) { w[len(w)-500] ^= 1 },
		"the checksum":             func(w []byte) { w[bytes.LastIndex(w, []byte("crc32:"))+6] ^= 2 },
		"the trailer's signature":  func(w []byte) { w[len(w)-5] ^= 1 },
	} {
		if code, text := b.signedUpload(t, bucket, "bad", content, spoil); code == http.StatusOK {
			t.Errorf("%s: %d %s", what, code, text)
		}
		if b.has(bucket, "bad") { // versitygw takes a body without its trailer, which is all that did not reach it
			b.holds(t, bucket, "bad", content)
		}
	}
}

// TestStrictPaths: a path reaches S3 as the client signed it, byte for byte, whatever other servers make of it.
func TestStrictPaths(t *testing.T) {
	b := newStrict(t)
	bucket := b.bucket(t, "paths")
	for _, path := range []string{"a//b", "./a", "a/../b", "a/./b", "%2e%2e/b", "a%2Fb", "a%2fb", "a//", "/", "//x", "a%20b", "a%C3%A4", "a;x", "a%00b", "..", "a/.."} {
		t.Run(path, func(t *testing.T) {
			b.reached()
			target := "/" + bucket + "/" + path
			code := b.getRaw(t, target)
			came := b.reached()
			if len(came) == 1 && came[0].RequestURI != target {
				t.Errorf("asked for %s, S3 got %s", target, came[0].RequestURI)
			} else if len(came) == 0 && code < 400 {
				t.Errorf("nothing was asked of S3, and the answer is %d", code)
			}
		})
	}
}

// getRaw gets a path as it is written.
func (b *bed) getRaw(t *testing.T, path string) int {
	t.Helper()
	access := b.Token(t, "grant-1")
	r := &sigv4.Request{Method: http.MethodGet, Host: b.addr, Path: path, Header: http.Header{}}
	signed, err := sigv4.NewSigner(nil).Sign(r, sigv4.Credentials{KeyID: awskey.KeyID(access), Secret: enforcetest.ClientSecret, SessionToken: access},
		sigv4.Target{Service: "s3", Region: s3test.Region}, hexHash(nil), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	signed.Set(r.Header)
	resp, err := http.DefaultClient.Do((&http.Request{Method: r.Method, URL: r.URL("http"), Host: b.addr, Header: r.Header}).WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
