package aws

import (
	"net/http"
	"testing"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/test/mototest"
)

// TestBucketOwner: S3 is told whose a bucket is, where the operation takes that and the account's resource does not name the bucket.
func TestBucketOwner(t *testing.T) {
	const owner, source = "X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner"
	moto := mototest.Start(t)
	b := newBedBefore(t, &bed{moto: moto, foreign: []string{"theirs"}}, moto.URL, enforce.AWSKeys{KeyID: moto.Key, Secret: []byte(moto.Secret)})
	s3 := func(method, path string, header http.Header) attempt {
		return attempt{method: method, path: path, service: "s3", header: header}
	}
	for name, c := range map[string]struct {
		attempt
		owner, source string
		refused       bool
	}{
		"create":                   {attempt: s3("PUT", "/ours", http.Header{"Content-Length": {"0"}})},
		"list of buckets":          {attempt: s3("GET", "/", nil)},
		"list":                     {attempt: s3("GET", "/ours", nil), owner: mototest.Account},
		"object":                   {attempt: s3("GET", "/ours/a", nil), owner: mototest.Account},
		"upload":                   {attempt: attempt{method: "PUT", path: "/ours/a", service: "s3", body: "x"}, owner: mototest.Account},
		"deletion":                 {attempt: s3("DELETE", "/ours/a", nil), owner: mototest.Account},
		"said already":             {attempt: s3("GET", "/ours/a", http.Header{owner: {mototest.Account}}), owner: mototest.Account},
		"said otherwise":           {attempt: s3("GET", "/ours/a", http.Header{owner: {"999999999999"}}), refused: true},
		"named":                    {attempt: s3("GET", "/theirs/a", nil)},
		"named, and said":          {attempt: s3("GET", "/theirs/a", http.Header{owner: {"999999999999"}}), owner: "999999999999"},
		"copy":                     {attempt: s3("PUT", "/ours/b", http.Header{"X-Amz-Copy-Source": {"/ours/a"}}), owner: mototest.Account, source: mototest.Account},
		"copy from a named one":    {attempt: s3("PUT", "/ours/b", http.Header{"X-Amz-Copy-Source": {"/theirs/a"}}), owner: mototest.Account},
		"copy to a named one":      {attempt: s3("PUT", "/theirs/b", http.Header{"X-Amz-Copy-Source": {"/ours/a"}}), source: mototest.Account},
		"copy from one of another": {attempt: s3("PUT", "/ours/b", http.Header{"X-Amz-Copy-Source": {"/ours/a"}, source: {"999999999999"}}), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			code, text := b.send(c.attempt)
			got := b.reached()
			switch {
			case c.refused && (len(got) > 0 || code != http.StatusForbidden):
				t.Errorf("%d %s, and %d calls reached AWS", code, text, len(got))
			case c.refused:
			case len(got) != 1:
				t.Errorf("%d %s, and %d calls reached AWS", code, text, len(got))
			case got[0].Header.Get(owner) != c.owner || got[0].Header.Get(source) != c.source || len(got[0].Header.Values(owner)) > 1:
				t.Errorf("AWS received %q and %q", got[0].Header.Values(owner), got[0].Header.Values(source))
			}
		})
	}
}
