package aws

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/test/s3test"
)

// strict is an edge before versitygw, which verifies signatures, chunks and checksums as S3 does, over all that was signed.
type strict struct {
	*bed
	store *s3test.Server
}

func newStrict(t *testing.T) *strict {
	t.Helper()
	store := s3test.Start(t)
	b := newBedBefore(t, &bed{foreign: []string{"*"}}, "http://"+store.Address, enforce.AWSKeys{KeyID: store.Key, Secret: []byte(store.Secret), SessionToken: []byte(store.Token)})
	return &strict{bed: b, store: store}
}

// bucket makes one, past the edge.
func (b *strict) bucket(t *testing.T, name string) string {
	t.Helper()
	if err := os.Mkdir(filepath.Join(b.store.Buckets(), name), 0o700); err != nil {
		t.Fatal(err)
	}
	return name
}

// holds fails the test unless the store has content under a key.
func (b *strict) holds(t *testing.T, bucket, key string, content []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(b.store.Buckets(), bucket, key))
	if err != nil || sha256.Sum256(got) != sha256.Sum256(content) {
		t.Errorf("%s of %d bytes arrived as %d bytes: %v", key, len(content), len(got), err)
	}
}

// has reports an object that is there, whole or not.
func (b *strict) has(bucket, key string) bool {
	_, err := os.Stat(filepath.Join(b.store.Buckets(), bucket, key))
	return err == nil
}

func noise(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// oddKeys are object keys that clients, servers and gateways are apt to read differently.
var oddKeys = []string{
	"a b", "a+b", "a%2Fb", "a%20b", "ä/ö 日本", "x=1&y=2", "q?r#s", "semi;colon,comma", "(paren)'quote'!*", "~tilde-._", "at@colon:dollar$", "back\\slash", `"quoted"`, "..dots..", "a/.hidden/b", "%", "100%", "tab\there",
}

// TestStrictKeys: every key arrives as it was asked for, and comes back.
func TestStrictKeys(t *testing.T) {
	b := newStrict(t)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			client, bucket := s3.NewFromConfig(b.config(proxy)), b.bucket(t, strings.ReplaceAll(name, " ", "-"))
			for _, key := range oddKeys {
				content := []byte("content of " + key)
				if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)}); err != nil {
					t.Errorf("put %q: %v", key, err)
					continue
				}
				b.holds(t, bucket, key, content)
				if got, err := fetch(ctx, client, bucket, key); err != nil || !bytes.Equal(got, content) {
					t.Errorf("get %q: %q, %v", key, got, err)
				}
				b.copies(ctx, t, client, bucket, key, content)
			}
			b.lists(ctx, t, client, bucket)
		})
	}
}

func (b *strict) copies(ctx context.Context, t *testing.T, client *s3.Client, bucket, key string, content []byte) {
	t.Helper()
	copied := "copies/" + key
	_, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &copied, CopySource: sdk.String(bucket + "/" + escape(key))})
	if err != nil {
		t.Errorf("copy %q: %v", key, err)
	} else {
		b.holds(t, bucket, copied, content)
	}
}

// escape writes a key as CopySource wants it.
func escape(key string) string {
	var out strings.Builder
	for _, c := range []byte(key) {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/", c) >= 0 {
			out.WriteByte(c)
		} else {
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func fetch(ctx context.Context, client *s3.Client, bucket, key string) ([]byte, error) {
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return nil, err
	}
	defer got.Body.Close()
	return io.ReadAll(got.Body)
}

// lists wants listings by prefixes and delimiters with characters that must be percent-encoded in a query.
func (b *strict) lists(ctx context.Context, t *testing.T, client *s3.Client, bucket string) {
	t.Helper()
	for _, prefix := range []string{"", "a", "a b", "a+b", "a%2Fb", "ä/", "copies/", "copies/a+", "x=1&y"} {
		var want, got []string
		for _, key := range oddKeys {
			for _, k := range []string{key, "copies/" + key} {
				if strings.HasPrefix(k, prefix) {
					want = append(want, k)
				}
			}
		}
		out, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
		if err != nil {
			t.Errorf("list %q: %v", prefix, err)
			continue
		}
		for _, o := range out.Contents {
			got = append(got, sdk.ToString(o.Key))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("list %q: %q, want %q", prefix, got, want)
		}
	}
	out, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: sdk.String("copies/"), Delimiter: sdk.String("/"), MaxKeys: sdk.Int32(3)})
	if err != nil || sdk.ToInt32(out.KeyCount) != 3 || !sdk.ToBool(out.IsTruncated) {
		t.Errorf("a page: %+v, %v", out, err)
	} else if _, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: sdk.String("copies/"), ContinuationToken: out.NextContinuationToken}); err != nil {
		t.Errorf("the next page: %v", err)
	}
}

// TestStrictMultipart: 20 MB in parts, and in one piece, arrive whole and come back whole, a part of them too.
func TestStrictMultipart(t *testing.T) {
	b := newStrict(t)
	whole := noise(20 << 20)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			client, bucket := s3.NewFromConfig(b.config(proxy)), b.bucket(t, strings.ReplaceAll(name, " ", "-"))
			b.inParts(ctx, t, client, bucket, whole)
			if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: sdk.String("once"), Body: bytes.NewReader(whole)}); err != nil {
				t.Fatal(err)
			}
			b.holds(t, bucket, "once", whole)
			if got, err := fetch(ctx, client, bucket, "once"); err != nil || !bytes.Equal(got, whole) {
				t.Errorf("%d bytes came back: %v", len(got), err)
			}
			got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: sdk.String("parts"), Range: sdk.String("bytes=5242870-5242889")})
			if err != nil {
				t.Fatal(err)
			}
			part, err := io.ReadAll(got.Body)
			if err != nil || !bytes.Equal(part, whole[5242870:5242890]) {
				t.Errorf("a range came back as %d bytes: %v", len(part), err)
			}
			head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: sdk.String("once"), ChecksumMode: types.ChecksumModeEnabled})
			if err != nil || sdk.ToInt64(head.ContentLength) != int64(len(whole)) {
				t.Errorf("head: %+v, %v", head, err)
			}
			var none *types.NotFound
			if _, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: sdk.String("nothing")}); !errors.As(err, &none) {
				t.Errorf("the head of an object that is not there: %v", err)
			}
			var gone *types.NoSuchKey
			if _, err := fetch(ctx, client, bucket, "nothing"); !errors.As(err, &gone) {
				t.Errorf("an object that is not there: %v", err)
			}
		})
	}
}

func (b *strict) inParts(ctx context.Context, t *testing.T, client *s3.Client, bucket string, whole []byte) {
	t.Helper()
	key := sdk.String("parts")
	up, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	var done types.CompletedMultipartUpload
	for i, part := range slices.Collect(slices.Chunk(whole, 5<<20)) {
		n := sdk.Int32(int32(i) + 1)
		put, err := client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &bucket, Key: key, UploadId: up.UploadId, PartNumber: n, Body: bytes.NewReader(part)})
		if err != nil {
			t.Fatal(err)
		}
		done.Parts = append(done.Parts, types.CompletedPart{PartNumber: n, ETag: put.ETag, ChecksumCRC32: put.ChecksumCRC32})
	}
	if _, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: key, UploadId: up.UploadId, MultipartUpload: &done}); err != nil {
		t.Fatal(err)
	}
	b.holds(t, bucket, "parts", whole)
}

// TestStrictPresigned: URLs to get and to put, for the very object that they name.
func TestStrictPresigned(t *testing.T) {
	b := newStrict(t)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			cfg, bucket, key := b.config(proxy), b.bucket(t, strings.ReplaceAll(name, " ", "-")), "a b/ü+c"
			maker := s3.NewPresignClient(s3.NewFromConfig(cfg))
			put, err := maker.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, ContentType: sdk.String("text/plain")})
			if err != nil {
				t.Fatal(err)
			}
			content := noise(100_000)
			if code, text := b.visit(t, cfg, put.Method, put.URL, put.SignedHeader, content); code != http.StatusOK {
				t.Fatalf("put: %d %s", code, text)
			}
			b.holds(t, bucket, key, content)
			get, err := maker.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
			if err != nil {
				t.Fatal(err)
			}
			if code, text := b.visit(t, cfg, get.Method, get.URL, get.SignedHeader, nil); code != http.StatusOK || !bytes.Equal(text, content) {
				t.Errorf("get: %d, %d bytes", code, len(text))
			}
			b.reached()
			for what, change := range map[string][2]string{"another key": {"a%20b", "a%20c"}, "a longer life": {"X-Amz-Expires=900", "X-Amz-Expires=901"}} {
				if !strings.Contains(get.URL, change[0]) {
					t.Fatalf("%s is not in %s", change[0], get.URL)
				}
				if code, _ := b.visit(t, cfg, get.Method, strings.Replace(get.URL, change[0], change[1], 1), get.SignedHeader, nil); code != http.StatusForbidden || len(b.reached()) > 0 {
					t.Errorf("%s: %d", what, code)
				}
			}
		})
	}
}

// visit sends what a presigned URL stands for, as whoever was given it does.
func (b *bed) visit(t *testing.T, cfg sdk.Config, method, address string, header http.Header, body []byte) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	client := http.DefaultClient
	if cfg.HTTPClient != nil {
		client = cfg.HTTPClient.(*http.Client)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, text
}
