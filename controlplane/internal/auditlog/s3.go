package auditlog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// S3Config says where in S3 the objects are.
type S3Config struct {
	// Client signs and sends. Required.
	Client *s3.Client
	// Bucket is required. Give it versioning and object lock, so that nobody
	// can take records away.
	Bucket string
	// Prefix starts every key, without slashes at its ends. Default none.
	Prefix string
	// KMSKey encrypts the objects (SSE-KMS). Default is the bucket's setting.
	KMSKey string
	// Lock keeps every object from being deleted or replaced for that long, by anybody (compliance), or by whoever has no right to bypass it
	// (governance). The bucket needs object lock. Default is the bucket's own retention. Required with LockFor.
	Lock    types.ObjectLockMode
	LockFor time.Duration
	// Now defaults to time.Now.
	Now func() time.Time
}

// S3 is an ObjectStore in an S3 bucket. S3 answers a PUT when the object is
// durable, and If-None-Match keeps an object from being replaced.
type S3 struct{ cfg S3Config }

// NewS3 returns the store that cfg names; it does not call S3.
func NewS3(cfg S3Config) (*S3, error) {
	if cfg.Client == nil || cfg.Bucket == "" {
		return nil, errors.New("s3: a client and a bucket are required")
	}
	if (cfg.Lock == "") != (cfg.LockFor == 0) || cfg.LockFor < 0 {
		return nil, errors.New("s3: object lock needs a mode and a time")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Prefix != "" {
		if err := checkKey(cfg.Prefix); err != nil {
			return nil, fmt.Errorf("s3 prefix: %w", err)
		}
	}
	return &S3{cfg: cfg}, nil
}

// Put implements ObjectStore.
func (s *S3) Put(ctx context.Context, key string, data []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(data) > MaxObject {
		return fmt.Errorf("object of %d bytes, limit %d", len(data), MaxObject)
	}
	in := &s3.PutObjectInput{
		Bucket: &s.cfg.Bucket, Key: aws.String(path.Join(s.cfg.Prefix, key)),
		Body: bytes.NewReader(data), IfNoneMatch: aws.String("*"),
		ContentType: aws.String("application/octet-stream"), ChecksumAlgorithm: types.ChecksumAlgorithmSha256,
	}
	if s.cfg.KMSKey != "" {
		in.ServerSideEncryption = types.ServerSideEncryptionAwsKms
		in.SSEKMSKeyId = &s.cfg.KMSKey
	}
	if s.cfg.Lock != "" {
		in.ObjectLockMode = s.cfg.Lock
		in.ObjectLockRetainUntilDate = aws.Time(s.cfg.Now().Add(s.cfg.LockFor))
	}
	_, err := s.cfg.Client.PutObject(ctx, in)
	var api smithy.APIError
	if errors.As(err, &api) && api.ErrorCode() == "PreconditionFailed" {
		return ErrExists
	}
	return storage("put object", err)
}

// Get implements ObjectStore.
func (s *S3) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	out, err := s.cfg.Client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.cfg.Bucket, Key: aws.String(path.Join(s.cfg.Prefix, key)),
	})
	var missing *types.NoSuchKey
	if errors.As(err, &missing) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, storage("get object", err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, MaxObject+1))
	if err != nil {
		return nil, storage("read object", err)
	}
	if len(data) > MaxObject {
		return nil, fmt.Errorf("object over %d bytes", MaxObject)
	}
	return data, nil
}

// List implements ObjectStore.
func (s *S3) List(ctx context.Context, folder string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for page, err := range s.pages(ctx, folder) {
			if err != nil {
				yield("", err)
				return
			}
			for _, object := range page.Contents {
				key := strings.TrimPrefix(strings.TrimPrefix(aws.ToString(object.Key), s.cfg.Prefix), "/")
				if !yield(key, nil) {
					return
				}
			}
		}
	}
}

// Folders implements ObjectStore.
func (s *S3) Folders(ctx context.Context, folder string) ([]string, error) {
	var names []string
	for page, err := range s.pages(ctx, folder) {
		if err != nil {
			return nil, err
		}
		for _, p := range page.CommonPrefixes {
			names = append(names, path.Base(aws.ToString(p.Prefix)))
		}
	}
	return names, nil
}

func (s *S3) pages(ctx context.Context, folder string) iter.Seq2[*s3.ListObjectsV2Output, error] {
	return func(yield func(*s3.ListObjectsV2Output, error) bool) {
		if err := checkKey(folder); err != nil {
			yield(nil, err)
			return
		}
		pages := s3.NewListObjectsV2Paginator(s.cfg.Client, &s3.ListObjectsV2Input{
			Bucket: &s.cfg.Bucket, Prefix: aws.String(path.Join(s.cfg.Prefix, folder) + "/"), Delimiter: aws.String("/"),
		})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				yield(nil, storage("list objects", err))
				return
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}
