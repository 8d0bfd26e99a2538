package aws

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/writhq/writ/edgeagent/internal/enforce/enforcetest"
	"github.com/writhq/writ/pkg/awskey"
	"github.com/writhq/writ/test/mototest"
)

// config is that of aws-sdk-go-v2, by one of the two ways.
func (b *bed) config(proxy bool) sdk.Config {
	b.t.Helper()
	access := b.Token(b.t, "grant-1")
	cfg := sdk.Config{
		Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider(awskey.KeyID(access), enforcetest.ClientSecret, access),
		RetryMaxAttempts: 1,
	}
	if !proxy {
		cfg.BaseEndpoint = sdk.String("http://" + b.addr)
		return cfg
	}
	text, err := os.ReadFile(b.ca)
	if err != nil {
		b.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: b.addr}), TLSClientConfig: &tls.Config{RootCAs: roots},
	}}
	return cfg
}

// TestGoSDK: the SDK for Go works in both ways. Over TLS it sends S3 bodies in chunks with a trailer, otherwise with their hash.
func TestGoSDK(t *testing.T) {
	b := newBed(t)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cfg := b.config(proxy)
			who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			if err != nil || sdk.ToString(who.Account) != mototest.Account {
				t.Fatalf("%+v, %v", who, err)
			}
			if _, err := dynamodb.NewFromConfig(cfg).ListTables(ctx, &dynamodb.ListTablesInput{}); err != nil {
				t.Error(err)
			}
			client, bucket := s3.NewFromConfig(cfg), strings.ReplaceAll(name, " ", "-")
			b.roundTrip(ctx, client, bucket)
			b.presigned(ctx, cfg, client, bucket)
		})
	}
}

// roundTrip puts 20 MB into S3 and gets them back, and a part of them by a presigned URL.
func (b *bed) roundTrip(ctx context.Context, client *s3.Client, bucket string) {
	b.t.Helper()
	big := make([]byte, 20<<20)
	_, _ = rand.Read(big)
	if _, err := client.CreateBucket(ctx, &s3.CreateBucketInput{
		Bucket: &bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraintEuWest1},
	}); err != nil {
		b.t.Fatal(err)
	}
	key := sdk.String("odd key/+ä.bin")
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: sdk.String("big.bin"), Body: bytes.NewReader(big)}); err != nil {
		b.t.Fatal(err)
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: sdk.String("big.bin")})
	if err != nil {
		b.t.Fatal(err)
	}
	h := sha256.New()
	n, err := io.Copy(h, got.Body)
	got.Body.Close()
	if want := sha256.Sum256(big); err != nil || n != int64(len(big)) || !bytes.Equal(h.Sum(nil), want[:]) {
		b.t.Errorf("%d bytes came back: %v", n, err)
	}
	if _, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: key}); err == nil {
		b.t.Error("an object is there that nobody put")
	}
}

// presigned gets a part of what roundTrip put by a URL, as whoever was given one does.
func (b *bed) presigned(ctx context.Context, cfg sdk.Config, client *s3.Client, bucket string) {
	b.t.Helper()
	made, err := s3.NewPresignClient(client).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: sdk.String("big.bin"), Range: sdk.String("bytes=0-99")})
	if err != nil {
		b.t.Fatal(err)
	}
	get := func(address string) (int, int) {
		req, err := http.NewRequestWithContext(ctx, made.Method, address, nil)
		if err != nil {
			b.t.Fatal(err)
		}
		for name, values := range made.SignedHeader {
			req.Header[name] = values
		}
		var doer interface {
			Do(*http.Request) (*http.Response, error)
		} = http.DefaultClient
		if cfg.HTTPClient != nil {
			doer = cfg.HTTPClient
		}
		resp, err := doer.Do(req)
		if err != nil {
			b.t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			b.t.Fatal(err)
		}
		return resp.StatusCode, len(text)
	}
	if code, n := get(made.URL); code != http.StatusPartialContent || n != 100 {
		b.t.Errorf("a presigned URL: %d, %d bytes", code, n)
	}
	b.reached()
	if code, _ := get(strings.Replace(made.URL, "big.bin", "other.bin", 1)); code < 400 || len(b.reached()) > 0 {
		b.t.Errorf("a presigned URL of another object: %d", code)
	}
}

// TestTunnelsStay: a tunnel serves call after call.
func TestTunnelsStay(t *testing.T) {
	b := newBed(t)
	cfg := b.config(true)
	var tunnels atomic.Int32
	transport := cfg.HTTPClient.(*http.Client).Transport.(*http.Transport)
	transport.OnProxyConnectResponse = func(context.Context, *url.URL, *http.Request, *http.Response) error {
		tunnels.Add(1)
		return nil
	}
	client := dynamodb.NewFromConfig(cfg)
	for range 20 {
		if _, err := client.ListTables(t.Context(), &dynamodb.ListTablesInput{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if n := tunnels.Load(); n != 1 {
		t.Errorf("%d tunnels for calls one after another", n)
	}
}

const boto = `
import boto3, sys
bucket = sys.argv[1]
assert boto3.client("sts").get_caller_identity()["Account"] == sys.argv[2]
s3 = boto3.client("s3")
s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
up = s3.create_multipart_upload(Bucket=bucket, Key="parts")
parts = [dict(PartNumber=i, ETag=s3.upload_part(Bucket=bucket, Key="parts", UploadId=up["UploadId"], PartNumber=i, Body=b"x" * (5 << 20))["ETag"]) for i in (1, 2)]
s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=up["UploadId"], MultipartUpload={"Parts": parts})
assert len(s3.get_object(Bucket=bucket, Key="parts")["Body"].read()) == 10 << 20
d = boto3.client("dynamodb")
d.create_table(TableName=bucket, KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}], AttributeDefinitions=[{"AttributeName": "k", "AttributeType": "S"}], BillingMode="PAY_PER_REQUEST")
d.put_item(TableName=bucket, Item={"k": {"S": "1"}, "v": {"N": "2"}})
assert d.get_item(TableName=bucket, Key={"k": {"S": "1"}})["Item"]["v"] == {"N": "2"}
assert boto3.client("ec2").describe_instances()["Reservations"] == []
print("all is well")
`

// TestBoto3 works in both ways, with multipart uploads.
func TestBoto3(t *testing.T) {
	b := newBed(t)
	if err := exec.Command("python3", "-c", "import boto3").Run(); err != nil {
		t.Skip("boto3 is missing")
	}
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "python3", "-c", boto, "boto-"+strings.ReplaceAll(name, " ", "-"), mototest.Account)
			cmd.Env = b.environment(proxy)
			if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "all is well") {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
