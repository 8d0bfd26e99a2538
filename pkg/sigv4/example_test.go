package sigv4_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/sigv4"
)

// A proxy verifies what its client signed, and sends it on signed by a key that the client does not know.
func Example() {
	now := func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	keys := sigv4.NewKeys(100)
	signer := sigv4.NewSigner(keys)
	target := sigv4.Target{Service: "s3", Region: "eu-west-1"}

	// The client.
	const hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" // of "abc"
	in := httptest.NewRequest(http.MethodPut, "/bucket/key", strings.NewReader("abc"))
	request, _ := sigv4.FromHTTP(in)
	synthetic := sigv4.Credentials{KeyID: "AKIDCLIENT", Secret: "known to the client"}
	signed, err := signer.Sign(request, synthetic, target, hash, now())
	if err != nil {
		fmt.Println(err)
		return
	}
	signed.Set(in.Header)

	// The proxy.
	request, err = sigv4.FromHTTP(in)
	if err != nil {
		fmt.Println(err)
		return
	}
	said, err := sigv4.Parse(request)
	if err != nil {
		fmt.Println(sigv4.Code(err, sigv4.S3))
		return
	}
	verifier, _ := sigv4.NewVerifier(sigv4.VerifierConfig{Keys: keys, Now: now})
	verified, err := verifier.Verify(request, said, "known to the client")
	if err != nil {
		fmt.Println(sigv4.Code(err, sigv4.S3))
		return
	}
	up := &sigv4.Request{Method: request.Method, Host: "s3.eu-west-1.amazonaws.com", Path: request.Path, RawQuery: verified.Query, Header: verified.Forward()}
	upstream := sigv4.Credentials{KeyID: "ASIAUPSTREAM", Secret: "known to the proxy", SessionToken: "token"}
	signed, err = signer.Sign(up, upstream, target, verified.PayloadHash(), now())
	if err != nil {
		fmt.Println(err)
		return
	}
	signed.Set(up.Header)
	body, err := sigv4.NewBody(in.Body, verified, signed, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	sent, err := io.ReadAll(body)
	fmt.Println(verified)
	fmt.Println(up.URL("https").RequestURI())
	head, _, _ := strings.Cut(up.Header.Get("Authorization"), "/")
	fmt.Println(head)
	fmt.Println(string(sent), err)
	// Output:
	// AWS4-HMAC-SHA256 AKIDCLIENT 20260102/eu-west-1/s3/aws4_request
	// /bucket/key
	// AWS4-HMAC-SHA256 Credential=ASIAUPSTREAM
	// abc <nil>
}
