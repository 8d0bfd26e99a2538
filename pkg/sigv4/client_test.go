package sigv4

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// received is what a service of the test made of a request.
type received struct {
	v    *Verified
	body string
	err  error
}

// service verifies requests with the clock of the system, as the SDK signs with it.
func service(t *testing.T, secret string) (*httptest.Server, chan received) {
	t.Helper()
	got := make(chan received, 1)
	verifier, err := NewVerifier(VerifierConfig{Now: time.Now, Keys: NewKeys(4)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var out received
		out.v, out.body, out.err = serve(verifier, r, secret)
		got <- out
		w.Header().Set("Content-Type", "text/xml")
		io.WriteString(w, "<a/>")
	}))
	t.Cleanup(server.Close)
	return server, got
}

func serve(verifier *Verifier, r *http.Request, secret string) (*Verified, string, error) {
	q, err := FromHTTP(r)
	if err != nil {
		return nil, "", err
	}
	a, err := Parse(q)
	if err != nil {
		return nil, "", err
	}
	src := io.Reader(r.Body)
	if a.Payload.Mode == Absent {
		all, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, "", err
		}
		q.BodyHash, src = hashOf(string(all)), strings.NewReader(string(all))
	}
	v, err := verifier.Verify(q, a, secret)
	if err != nil {
		return nil, "", err
	}
	p, err := NewPayload(src, v)
	if err != nil {
		return nil, "", err
	}
	body, err := io.ReadAll(p)
	return v, string(body), err
}

func TestGoClients(t *testing.T) {
	server, got := service(t, testSecret)
	config := aws.Config{
		Region: "eu-west-1", BaseEndpoint: aws.String(server.URL), HTTPClient: server.Client(),
		Credentials:                credentials.NewStaticCredentialsProvider(testKey, testSecret, "tok"),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, // as config.LoadDefaultConfig has it
		Retryer:                    func() aws.Retryer { return aws.NopRetryer{} },
	}
	ctx := context.Background()
	objects := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	presigner, tokens := s3.NewPresignClient(objects), sts.NewFromConfig(config)
	key, data := aws.String("a//b/../c/./d~e f+g(h)'*!$&,;=:@é"), sample(300_000)
	get := func(method, url string, header http.Header, err error) {
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest(method, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		header.Del("Host")
		req.Header = header
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	tests := map[string]struct {
		call func()
		mode Mode
		body string
	}{
		"put": {func() {
			objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("b"), Key: key, Body: strings.NewReader(data), Metadata: map[string]string{"a_b": " c   d "}})
		}, UnsignedChunks, data},
		"put of a stream": {func() {
			objects.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("b"), Key: key, Body: io.MultiReader(strings.NewReader(data)), ContentLength: aws.Int64(int64(len(data)))})
		}, UnsignedChunks, data},
		"get": {func() {
			objects.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("b"), Key: key, Range: aws.String("bytes=0-1")})
		}, Hashed, ""},
		"list": {func() { objects.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("b"), Prefix: key}) }, Hashed, ""},
		"presigned get": {func() {
			r, err := presigner.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: aws.String("b"), Key: key})
			get(r.Method, r.URL, r.SignedHeader, err)
		}, Unsigned, ""},
		"caller": {func() { tokens.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}) }, Absent, "Action=GetCallerIdentity&Version=2011-06-15"},
		"presigned caller": {func() {
			r, err := sts.NewPresignClient(tokens).PresignGetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			get(r.Method, r.URL, r.SignedHeader, err)
		}, Absent, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.call()
			select {
			case g := <-got:
				if g.err != nil || g.v.Payload.Mode != test.mode || g.body != test.body || g.v.SessionToken != "tok" {
					t.Errorf("%v; %d bytes, want %d; %v", g.err, len(g.body), len(test.body), g.v)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("nothing was received")
			}
		})
	}
}
