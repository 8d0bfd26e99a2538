package auditlog

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/writhq/writ/test/mototest"
)

// TestS3Locks: what is stored cannot be deleted until its time is over, by whoever may delete.
func TestS3Locks(t *testing.T) {
	moto := mototest.Start(t)
	client := s3.New(s3.Options{
		Region: "us-east-1", BaseEndpoint: &moto.URL, UsePathStyle: true, Credentials: credentials.NewStaticCredentialsProvider(moto.Key, moto.Secret, ""),
	})
	bucket := aws.String("records")
	if _, err := client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: bucket, ObjectLockEnabledForBucket: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]types.ObjectLockMode{"governed": types.ObjectLockModeGovernance, "complied": types.ObjectLockModeCompliance, "free": ""} {
		cfg := S3Config{Client: client, Bucket: *bucket, Lock: mode}
		if mode != "" {
			cfg.LockFor = time.Hour
		}
		store, err := NewS3(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Put(t.Context(), name, []byte("record")); err != nil {
			t.Fatal(err)
		}
		head, err := client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: &name})
		if err != nil {
			t.Fatal(err)
		}
		if locked := head.ObjectLockRetainUntilDate != nil && time.Until(*head.ObjectLockRetainUntilDate) > 50*time.Minute; locked != (mode != "") || head.ObjectLockMode != mode {
			t.Errorf("%s: locked as %q until %v", name, head.ObjectLockMode, head.ObjectLockRetainUntilDate)
		}
		_, err = client.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: &name, VersionId: head.VersionId})
		if (err != nil) != (mode != "") {
			t.Errorf("%s: deleted: %v", name, err)
		}
	}
}

func TestS3LockNeedsModeAndTime(t *testing.T) {
	for _, cfg := range []S3Config{
		{Lock: types.ObjectLockModeCompliance}, {LockFor: time.Hour}, {Lock: types.ObjectLockModeCompliance, LockFor: -time.Hour},
	} {
		cfg.Client, cfg.Bucket = new(s3.Client), "records"
		if _, err := NewS3(cfg); err == nil {
			t.Errorf("%s for %s", cfg.Lock, cfg.LockFor)
		}
	}
}
