package sigv4

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const docSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

var docTime = time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC)

func docRequest(method, path, query string, header http.Header) *Request {
	return &Request{Method: method, Host: "examplebucket.s3.amazonaws.com", Path: path, RawQuery: query, Header: header, Length: -1}
}

func docAuthorization(names, signature string) string {
	return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=" + names + ",Signature=" + signature
}

func docVerify(t *testing.T, r *Request) *Verified {
	t.Helper()
	a, err := Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	v, err := newVerifier(t, docTime).Verify(r, a, docSecret)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// The examples of the S3 API Reference, "Authenticating Requests (AWS Signature Version 4)".
func TestS3Reference(t *testing.T) {
	const date = "20130524T000000Z"
	tests := map[string]*Request{
		"get object": docRequest("GET", "/test.txt", "", http.Header{
			"Range": {"bytes=0-9"}, "X-Amz-Content-Sha256": {emptyHash}, "X-Amz-Date": {date},
			"Authorization": {docAuthorization("host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41")},
		}),
		"put object": docRequest("PUT", "/test%24file.text", "", http.Header{
			"Date": {"Fri, 24 May 2013 00:00:00 GMT"}, "X-Amz-Storage-Class": {"REDUCED_REDUNDANCY"}, "X-Amz-Date": {date},
			"X-Amz-Content-Sha256": {"44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"},
			"Authorization":        {docAuthorization("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd")},
		}),
		"get lifecycle": docRequest("GET", "/", "lifecycle", http.Header{
			"X-Amz-Content-Sha256": {emptyHash}, "X-Amz-Date": {date},
			"Authorization": {docAuthorization("host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543")},
		}),
		"list objects": docRequest("GET", "/", "max-keys=2&prefix=J", http.Header{
			"X-Amz-Content-Sha256": {emptyHash}, "X-Amz-Date": {date},
			"Authorization": {docAuthorization("host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7")},
		}),
		"presigned": docRequest("GET", "/test.txt", "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"+
			"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404", http.Header{}),
	}
	for name, r := range tests {
		t.Run(name, func(t *testing.T) { docVerify(t, r) })
	}
}

// The example of the IAM User Guide for ListUsers, with another secret.
func TestIAMReference(t *testing.T) {
	r := &Request{
		Method: "GET", Host: "iam.amazonaws.com", Path: "/", RawQuery: "Action=ListUsers&Version=2010-05-08", Length: -1, BodyHash: emptyHash,
		Header: http.Header{
			"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}, "X-Amz-Date": {"20150830T123600Z"},
			"Authorization": {"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, " +
				"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"},
		},
	}
	v, err := verify(t, r)
	if err != nil {
		t.Fatal(err)
	}
	if v.PayloadHash() != emptyHash || v.Payload.Mode != Absent {
		t.Errorf("payload %q, %v", v.PayloadHash(), v.Payload.Mode)
	}
	r.BodyHash = strings.Repeat("0", 64)
	if _, err := verify(t, r); err == nil {
		t.Error("another body verifies")
	}
}

func docChunks(hash, names, signature, length string) *Request {
	r := docRequest("PUT", "/examplebucket/chunkObject.txt", "", http.Header{
		"X-Amz-Date": {"20130524T000000Z"}, "X-Amz-Storage-Class": {"REDUCED_REDUNDANCY"}, "X-Amz-Content-Sha256": {hash},
		"Content-Encoding": {"aws-chunked"}, "X-Amz-Decoded-Content-Length": {"66560"}, "Content-Length": {length},
		"Authorization": {docAuthorization(names, signature)},
	})
	r.Host = "s3.amazonaws.com"
	return r
}

// The example of the S3 API Reference, "Transferring Payload in Multiple Chunks".
func TestS3ReferenceChunks(t *testing.T) {
	v := docVerify(t, docChunks(signedChunks, "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
		"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9", "66824"))
	data := strings.Repeat("a", 66560)
	wire := "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n" + data[:65536] + "\r\n" +
		"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n" + data[:1024] + "\r\n" +
		"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
	if len(wire) != 66824 {
		t.Fatal(len(wire))
	}
	wantPayload(t, v, wire, data)
}

// The example of the same, "Including Trailing Headers".
func TestS3ReferenceTrailer(t *testing.T) {
	r := docChunks(signedTrailer, "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;x-amz-trailer",
		"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e", "66824")
	r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
	v := docVerify(t, r)
	data := strings.Repeat("a", 66560)
	wire := "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2\r\n" + data[:65536] + "\r\n" +
		"400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7\r\n" + data[:1024] + "\r\n" +
		"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n" +
		"x-amz-checksum-crc32c:sOO8/Q==\n\r\n" +
		"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
	wantPayload(t, v, wire, data)
}

func wantPayload(t *testing.T, v *Verified, wire, data string) {
	t.Helper()
	p, err := NewPayload(strings.NewReader(wire), v)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(p)
	if err != nil || !bytes.Equal(got, []byte(data)) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
}
