package aws

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/writhq/writ/pkg/mask"
)

// table is a text of lines with values in them, and the same with stars.
func table(t *testing.T, size int) (text, want []byte) {
	t.Helper()
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "%d,user%d@example.com,4111 1111 1111 1111,%s\n", i, i, strings.Repeat("x", i%97))
	}
	det, err := mask.New(mask.Config{})
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.Clone(b.Bytes())
	for _, h := range det.Scan(nil, want) {
		copy(want[h.Start:h.End], bytes.Repeat([]byte("*"), h.End-h.Start))
	}
	return b.Bytes(), want
}

// TestObjectsAreSearched: what a detector finds in objects of texts is starred, in the whole and in every part, and clients that check
// what they get are content.
func TestObjectsAreSearched(t *testing.T) {
	b := newStrict(t)
	bucket := b.bucket(t, "searched")
	text, want := table(t, 1<<20)
	client := s3.NewFromConfig(b.config(true))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: sdk.String("t"), Body: bytes.NewReader(text)}); err != nil {
		t.Fatal(err)
	}
	b.holds(t, bucket, "t", text)
	get := func(in s3.GetObjectInput) ([]byte, *s3.GetObjectOutput, error) {
		in.Bucket = &bucket
		if in.Key == nil {
			in.Key = sdk.String("t")
		}
		out, err := client.GetObject(ctx, &in)
		if err != nil {
			return nil, nil, err
		}
		defer out.Body.Close()
		got, err := io.ReadAll(out.Body)
		return got, out, err
	}
	got, out, err := get(s3.GetObjectInput{ChecksumMode: "ENABLED"})
	if err != nil || !bytes.Equal(got, want) || sdk.ToInt64(out.ContentLength) != int64(len(want)) || out.ChecksumCRC32 != nil {
		t.Errorf("%d bytes of %d, checksum %v, %v", len(got), len(want), out, err)
	}
	for _, r := range [][2]int{{0, 9}, {5, 30}, {65_530, 65_545}, {300_000, 700_000}, {1 << 19, 1<<19 + 20}, {len(text) - 30, len(text) + 500}} {
		last := min(r[1], len(text)-1)
		got, out, err := get(s3.GetObjectInput{Range: sdk.String(fmt.Sprintf("bytes=%d-%d", r[0], r[1]))})
		if said := fmt.Sprintf("bytes %d-%d/%d", r[0], last, len(text)); err != nil || !bytes.Equal(got, want[r[0]:last+1]) || sdk.ToString(out.ContentRange) != said {
			t.Errorf("bytes %v: %q, want %q, %v", r, got[:min(len(got), 50)], want[r[0]:r[0]+10], err)
		}
	}
	for header, from := range map[string]int{"bytes=-25": len(text) - 25, fmt.Sprintf("bytes=%d-", len(text)-70_000): len(text) - 70_000, "bytes=-99999999": 0} {
		if got, _, err := get(s3.GetObjectInput{Range: &header}); err != nil || !bytes.Equal(got, want[from:]) {
			t.Errorf("%s: %d bytes, want %d, %v", header, len(got), len(want)-from, err)
		}
	}
	for header, code := range map[string]string{fmt.Sprintf("bytes=%d-%d", len(text)+10, len(text)+20): "InvalidRange", fmt.Sprintf("bytes=%d-", len(text)+1<<20): "InvalidRange"} {
		_, _, err := get(s3.GetObjectInput{Range: &header})
		if e := smithy.APIError(nil); !errors.As(err, &e) || e.ErrorCode() != code {
			t.Errorf("%s: %v", header, err)
		}
	}
	for name, in := range map[string]s3.GetObjectInput{"part by number": {PartNumber: sdk.Int32(1)}, "another encoding": {ResponseContentEncoding: sdk.String("identity")}} {
		if _, _, err := get(in); err == nil || !strings.Contains(err.Error(), "searched for what is masked") {
			t.Errorf("%s: %v", name, err)
		}
	}
	binary := noise(300_000)
	if err := os.WriteFile(filepath.Join(b.store.Buckets(), bucket, "n"), binary, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, err := get(s3.GetObjectInput{Key: sdk.String("n")}); err != nil || !bytes.Equal(got, binary) {
		t.Errorf("a binary object: %d bytes, %v", len(got), err)
	}
}

// TestOtherObjectsPass: what is in a bucket that nobody named passes as it is, since tools write back what they read.
func TestOtherObjectsPass(t *testing.T) {
	b := newStrict(t)
	bucket := b.bucket(t, "state")
	text, _ := table(t, 1<<16)
	if err := os.WriteFile(filepath.Join(b.store.Buckets(), bucket, "t"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := s3.NewFromConfig(b.config(true)).GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: sdk.String("t")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if got, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes, want %d as they are, %v", len(got), len(text), err)
	}
}

// TestLargeObjectsAreSearched: the aws command line gets them in parts of its own choice, and puts them together.
func TestLargeObjectsAreSearched(t *testing.T) {
	b := newStrict(t)
	bucket := b.bucket(t, "large")
	text, want := table(t, 20<<20)
	if err := os.WriteFile(filepath.Join(b.store.Buckets(), bucket, "t"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "t")
	if out, err := b.cli(true, "s3", "cp", "--quiet", "s3://"+bucket+"/t", file); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
	parts := 0
	for _, r := range b.reached() {
		if r.Header.Get("Range") != "" {
			parts++
		}
	}
	if parts < 2 {
		t.Errorf("it came in %d parts", parts)
	}
}

// TestPackedObjects are unpacked where they say so, and refused in parts.
func TestPackedObjects(t *testing.T) {
	b := newStrict(t)
	bucket := b.bucket(t, "packed")
	text, want := table(t, 200_000)
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	_, _ = w.Write(text)
	_ = w.Close()
	client := s3.NewFromConfig(b.config(true))
	ctx := t.Context()
	for _, encoding := range []string{"gzip", "br"} {
		if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &encoding, Body: bytes.NewReader(z.Bytes()), ContentEncoding: &encoding}); err != nil {
			t.Fatal(err)
		}
	}
	out, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: sdk.String("gzip")})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if got, err := io.ReadAll(out.Body); err != nil || !bytes.Equal(got, want) || sdk.ToString(out.ContentEncoding) != "" {
		t.Errorf("%d bytes of %d, encoding %q, %v", len(got), len(want), sdk.ToString(out.ContentEncoding), err)
	}
	for name, in := range map[string]*s3.GetObjectInput{"a part": {Key: sdk.String("gzip"), Range: sdk.String("bytes=0-99")}, "brotli": {Key: sdk.String("br")}} {
		in.Bucket = &bucket
		if _, err := client.GetObject(ctx, in); err == nil || !strings.Contains(err.Error(), "searched for what is masked") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
