package aws

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/test/s3test"
)

// program runs one with the environment of a client, and fails the test where the program does.
func (b *bed) program(t *testing.T, proxy bool, stdin []byte, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(b.environment(proxy), "SSL_CERT_FILE="+b.ca)
	cmd.Stdin = bytes.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v: %s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// TestStrictChunks: bodies whose chunks are signed one by one reach a server that verifies each of them.
func TestStrictChunks(t *testing.T) {
	program := s3test.MinIO(t)
	b := newStrict(t)
	for _, test := range []struct {
		name    string
		proxy   bool
		args    []string
		size    int
		payload string // as the edge sent it on
	}{
		{"signed chunks", false, nil, 1_000_003, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
		{"nothing in signed chunks", false, nil, 0, ""},
		{"parts of signed chunks", false, []string{"-part", "5242880"}, 11 << 20, "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"},
		{"not signed within TLS", true, []string{"-tls"}, 1_000_003, "UNSIGNED-PAYLOAD"},
		{"trailer within TLS", true, []string{"-tls", "-trailers"}, 1_000_003, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"},
		{"parts within TLS", true, []string{"-tls", "-part", "5242880"}, 11 << 20, "UNSIGNED-PAYLOAD"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bucket, content := b.bucket(t, strings.ToLower(strings.ReplaceAll(test.name, " ", "-"))), noise(test.size)
			args := test.args
			if !test.proxy {
				args = append([]string{"-endpoint", b.addr}, args...)
			}
			b.reached()
			b.program(t, test.proxy, content, program, append(args, bucket, "a b+c")...)
			b.holds(t, bucket, "a b+c", content)
			if sent := payloads(b.reached()); test.payload != "" && !sent[test.payload] {
				t.Errorf("sent on as %v, want %s", sent, test.payload)
			}
		})
	}
}

// payloads are the kinds of bodies that were put.
func payloads(reqs []*http.Request) map[string]bool {
	kinds := make(map[string]bool)
	for _, r := range reqs {
		if r.Method == http.MethodPut {
			kinds[r.Header.Get("X-Amz-Content-Sha256")] = true
		}
	}
	return kinds
}

// TestStrictCommandLine: the aws command line copies and syncs folders, in parts where files are big.
func TestStrictCommandLine(t *testing.T) {
	program, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("the aws command line is missing")
	}
	b := newStrict(t)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			bucket, from, to := b.bucket(t, "cli-"+strings.ReplaceAll(name, " ", "-")), t.TempDir(), t.TempDir()
			files := map[string][]byte{"big.bin": noise(20 << 20), "a b+c.txt": []byte("small"), "ä/ö.txt": noise(10_000)}
			for file, content := range files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(from, file)), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(from, file), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			b.program(t, proxy, nil, program, "s3", "sync", "--no-progress", from, "s3://"+bucket+"/in/")
			for file, content := range files {
				b.holds(t, bucket, "in/"+file, content)
			}
			if out := b.program(t, proxy, nil, program, "s3", "ls", "--recursive", "s3://"+bucket+"/in/a "); !strings.Contains(out, "a b+c.txt") || strings.Contains(out, "big") {
				t.Errorf("ls says %s", out)
			}
			b.program(t, proxy, nil, program, "s3", "sync", "--no-progress", "s3://"+bucket+"/in/", to)
			for file, content := range files {
				if got, err := os.ReadFile(filepath.Join(to, file)); err != nil || !bytes.Equal(got, content) {
					t.Errorf("%s came back as %d bytes: %v", file, len(got), err)
				}
			}
			b.program(t, proxy, nil, program, "s3", "rm", "--recursive", "s3://"+bucket+"/in/")
			if left, _ := filepath.Glob(filepath.Join(b.store.Buckets(), bucket, "in", "*")); len(left) > 0 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

const botoStrict = `
import boto3, hashlib, io, sys, urllib.request
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
bucket, whole = sys.argv[1], sys.stdin.buffer.read()
s3 = boto3.client("s3", config=Config(signature_version="s3v4"))
s3.upload_fileobj(io.BytesIO(whole), bucket, "parts", Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
for key in ("a b", "a+b", "a%2Fb", "x=1&y=2", "ö/日本"):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"who": "ada"})
    got = s3.get_object(Bucket=bucket, Key=key)
    assert got["Body"].read() == key.encode() and got["Metadata"] == {"who": "ada"}, key
    listed = [o["Key"] for o in s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]]
    assert listed == [key], (key, listed)
back = io.BytesIO()
s3.download_fileobj(bucket, "parts", back, Config=TransferConfig(multipart_threshold=5 << 20, multipart_chunksize=5 << 20))
assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(whole).digest()
s3.put_object_tagging(Bucket=bucket, Key="a b", Tagging={"TagSet": [{"Key": "k", "Value": "v w"}]})
assert s3.get_object_tagging(Bucket=bucket, Key="a b")["TagSet"] == [{"Key": "k", "Value": "v w"}]
assert len(s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a b"}, {"Key": "a+b"}]})["Deleted"]) == 2
if len(sys.argv) > 2:
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "ö/日本"})
    assert urllib.request.urlopen(url).read() == "ö/日本".encode()
    url = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "signed"})
    urllib.request.urlopen(urllib.request.Request(url, data=b"by url", method="PUT"))
    assert s3.get_object(Bucket=bucket, Key="signed")["Body"].read() == b"by url"
print("all is well")
`

// TestStrictBoto3: boto3 with parts, tags, batches and presigned URLs.
func TestStrictBoto3(t *testing.T) {
	if err := exec.Command("python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("boto3 is missing")
	}
	b := newStrict(t)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			bucket, whole := b.bucket(t, "boto-"+strings.ReplaceAll(name, " ", "-")), noise(20<<20)
			args := []string{"-c", botoStrict, bucket}
			if !proxy {
				args = append(args, "presigned") // urllib heeds neither the edge's CA nor the proxy
			}
			b.program(t, proxy, whole, "python3", args...)
			b.holds(t, bucket, "parts", whole)
		})
	}
}
