package auditlog

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// bucket answers the few S3 calls that the store makes, as S3 does.
type bucket struct {
	mu      sync.Mutex
	objects map[string][]byte
	kms     string
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := strings.TrimPrefix(r.URL.Path, "/records/")
	switch {
	case r.Method == http.MethodPut:
		b.kms = r.Header.Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id")
		if _, ok := b.objects[key]; ok && r.Header.Get("If-None-Match") == "*" {
			fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
			return
		}
		data, _ := io.ReadAll(r.Body)
		b.objects[key] = data
	case r.URL.Query().Get("list-type") == "2":
		b.list(w, r.URL.Query().Get("prefix"), r.URL.Query().Get("continuation-token"))
	default:
		data, ok := b.objects[key]
		if !ok {
			fail(w, http.StatusNotFound, "NoSuchKey")
			return
		}
		_, _ = w.Write(data)
	}
}

func fail(w http.ResponseWriter, code int, name string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, "<Error><Code>"+name+"</Code><Message>no</Message></Error>")
}

// list answers two keys a page.
func (b *bucket) list(w http.ResponseWriter, prefix, after string) {
	type item struct{ Key string }
	type folder struct{ Prefix string }
	var page struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string
		Contents              []item
		CommonPrefixes        []folder
	}
	seen := map[string]bool{}
	var names []string
	for k := range b.objects {
		rest, ok := strings.CutPrefix(k, prefix)
		if !ok {
			continue
		}
		if dir, _, deep := strings.Cut(rest, "/"); deep {
			rest = dir + "/"
		}
		if !seen[rest] {
			seen[rest] = true
			names = append(names, rest)
		}
	}
	slices.Sort(names)
	for _, n := range names {
		if n <= after {
			continue
		}
		if len(page.Contents)+len(page.CommonPrefixes) == 2 {
			page.IsTruncated = true
			break
		}
		page.NextContinuationToken = n
		if strings.HasSuffix(n, "/") {
			page.CommonPrefixes = append(page.CommonPrefixes, folder{prefix + n})
		} else {
			page.Contents = append(page.Contents, item{prefix + n})
		}
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(page)
}

func newS3(t *testing.T, b *bucket) *S3 {
	t.Helper()
	srv := httptest.NewServer(b)
	t.Cleanup(srv.Close)
	client := s3.New(s3.Options{
		Region: "eu-west-1", BaseEndpoint: aws.String(srv.URL), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("AKIAEXAMPLE", "secret", ""), RetryMaxAttempts: 1,
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
	})
	store, err := NewS3(S3Config{Client: client, Bucket: "records", Prefix: "writ", KMSKey: "key-1"})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestObjectStores(t *testing.T) {
	stores := map[string]func(t *testing.T) ObjectStore{
		"folder": func(t *testing.T) ObjectStore {
			f, err := OpenFolder(filepath.Join(t.TempDir(), "o"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return f
		},
		"s3": func(t *testing.T) ObjectStore { return newS3(t, &bucket{objects: map[string][]byte{}}) },
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) { contract(t, open(t)) })
	}
}

func contract(t *testing.T, s ObjectStore) {
	ctx := t.Context()
	if _, err := s.Get(ctx, "a/none"); !errors.Is(err, ErrNotFound) {
		t.Fatalf("get absent: %v", err)
	}
	for _, key := range []string{"a/1", "a/2", "a/b/3", "a/c/4", "a/3", "z/9"} {
		if err := s.Put(ctx, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Put(ctx, "a/1", []byte("other")); !errors.Is(err, ErrExists) {
		t.Fatalf("put again: %v", err)
	}
	if got, err := s.Get(ctx, "a/1"); err != nil || string(got) != "a/1" {
		t.Fatalf("get: %q, %v", got, err)
	}
	var keys []string
	for k, err := range s.List(ctx, "a") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	if !slices.Equal(keys, []string{"a/1", "a/2", "a/3"}) {
		t.Fatalf("list: %v", keys)
	}
	if folders, err := s.Folders(ctx, "a"); err != nil || !slices.Equal(folders, []string{"b", "c"}) {
		t.Fatalf("folders: %v, %v", folders, err)
	}
	for range s.List(ctx, "nowhere") {
		t.Fatal("an absent folder has objects")
	}
	for _, key := range []string{"", "/a", "a/../b", "a//b", ".x", "a/.new-1", "a\x00b", "a b"} {
		if err := s.Put(ctx, key, nil); !errors.Is(err, errKey) {
			t.Errorf("put %q: %v", key, err)
		}
		if _, err := s.Get(ctx, key); !errors.Is(err, errKey) {
			t.Errorf("get %q: %v", key, err)
		}
	}
	if err := s.Put(ctx, "big", make([]byte, MaxObject+1)); err == nil {
		t.Error("an oversize object was taken")
	}
}

func TestS3Encrypts(t *testing.T) {
	b := &bucket{objects: map[string][]byte{}}
	if err := newS3(t, b).Put(t.Context(), "a", nil); err != nil || b.kms != "key-1" {
		t.Fatalf("kms key %q, %v", b.kms, err)
	}
	if _, ok := b.objects["writ/a"]; !ok {
		t.Fatalf("objects: %v", b.objects)
	}
}

func TestFolderRefusesAnOpenFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFolder(dir); err == nil {
		t.Fatal("a folder that others can read was taken")
	}
}

func TestFolderLeavesNoScraps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "o")
	f, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		_ = f.Put(context.Background(), "a/1", []byte("x"))
	}
	entries, err := os.ReadDir(filepath.Join(dir, "a"))
	if err != nil || len(entries) != 1 {
		t.Fatalf("%v, %v", entries, err)
	}
}

func FuzzBlockName(f *testing.F) {
	k := blockKey{edge: "e", boot: "b-1", sequence: 7, first: time.UnixMilli(1), last: time.UnixMilli(2)}
	k.sessions.add("ses-1")
	f.Add(filepath.Base(k.String()))
	f.Add("_____.blk")
	f.Fuzz(func(t *testing.T, name string) {
		k, ok := parseBlockName(name)
		if !ok {
			return
		}
		k.edge = "e"
		again, ok := parseBlockName(filepath.Base(k.String()))
		again.edge = "e"
		if !ok || again != k {
			t.Fatalf("%q became %v and then %v", name, k, again)
		}
	})
}

func TestFilterKnowsItsSessions(t *testing.T) {
	var f filter
	for _, s := range []string{"a", "b", "ses-1"} {
		f.add(s)
	}
	if !f.mayHold("a") || !f.mayHold("b") || !f.mayHold("ses-1") {
		t.Fatal("a session is missing")
	}
	if (&filter{}).mayHold("a") {
		t.Fatal("an empty filter holds a session")
	}
}
