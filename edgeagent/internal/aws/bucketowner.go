package aws

import (
	"net/http"
	"slices"
)

// owners are the members by which a call tells S3 whose bucket it means, and their headers.
var owners = []struct{ member, header string }{
	{"ExpectedBucketOwner", "X-Amz-Expected-Bucket-Owner"},
	{"ExpectedSourceBucketOwner", "X-Amz-Source-Expected-Bucket-Owner"},
}

// ownBuckets refuses a call that expects a bucket to be another account's, but for those that the account's resource names.
func (x *exchange) ownBuckets() error {
	for _, o := range owners {
		said := x.params.Get(o.member).Text
		if said != "" && said != x.client.account.Account && x.expects(o.member) {
			return foreign("a bucket of account " + said)
		}
	}
	return nil
}

// expectOwner tells S3 that the buckets of a call are the account's: their names do not say whose they are. S3 refuses the call if one is not.
func (x *exchange) expectOwner(h http.Header) {
	for _, o := range owners {
		if x.expects(o.member) {
			h[o.header] = []string{x.client.account.Account}
		}
	}
}

// expects says that the call takes the member, and that the bucket it is about must be the account's own.
func (x *exchange) expects(member string) bool {
	if x.call.Service != "s3" || !x.call.Takes(member) {
		return false
	}
	bucket := x.call.Bucket
	if member == "ExpectedSourceBucketOwner" {
		bucket = x.call.SourceBucket(x.params)
	}
	others := x.client.account.ForeignBuckets
	return !slices.Contains(others, bucket) && !slices.Contains(others, "*")
}
