package aws

import (
	"net/http"
	"testing"

	"github.com/writhq/writ/pkg/policy"
	"github.com/writhq/writ/pkg/sigv4"
)

// TestDigestHasHeaders: what is approved is bound to the headers that mean something, also to those that a presigned URL has in its
// query, and not to what differs between two tries.
func TestDigestHasHeaders(t *testing.T) {
	digest := func(header http.Header) [32]byte {
		x := exchange{
			client: &client{account: &Resource{Policy: policy.Resource{Name: "shop"}}}, said: &sigv4.Authorization{}, signed: &sigv4.Request{Method: "PUT", Path: "/a"}, header: header,
		}
		return x.digest()
	}
	first := digest(http.Header{"X-Amz-Copy-Source": {"a/b"}, "Amz-Sdk-Request": {"attempt=1"}})
	if again := digest(http.Header{"X-Amz-Copy-Source": {"a/b"}, "Amz-Sdk-Request": {"attempt=2"}}); again != first {
		t.Error("another try is another call")
	}
	if other := digest(http.Header{"X-Amz-Copy-Source": {"a/c"}, "Amz-Sdk-Request": {"attempt=1"}}); other == first {
		t.Error("a copy of another object is the same call")
	}
}
