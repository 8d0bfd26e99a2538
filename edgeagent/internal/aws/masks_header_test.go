package aws

import (
	"maps"
	"slices"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/audit"
	"github.com/writhq/writ/test/mototest"
)

// TestHeadersAreMasked: what a class hides does not come in a header either.
func TestHeadersAreMasked(t *testing.T) {
	moto := mototest.Start(t)
	b := newBedBefore(t, &bed{moto: moto, classes: map[string][]string{"secret": {"s3:HeadObject:Metadata.owner"}}}, moto.URL, enforce.AWSKeys{KeyID: moto.Key, Secret: []byte(moto.Secret)})
	client := s3.NewFromConfig(b.config(true))
	bucket, key := sdk.String("headers"), sdk.String("k")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: "eu-west-1"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Metadata: map[string]string{"owner": "ada", "team": "blue"}}); err != nil {
		t.Fatal(err)
	}
	head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: key})
	if err != nil || !maps.Equal(head.Metadata, map[string]string{"team": "blue"}) {
		t.Errorf("%v, %v; want the team alone", head.Metadata, err)
	}
	if !slices.ContainsFunc(b.Records.All(), func(r audit.Record) bool { return slices.Contains(r.MaskedColumns, "Metadata.owner") }) {
		t.Error("no record says that it was masked")
	}
}
