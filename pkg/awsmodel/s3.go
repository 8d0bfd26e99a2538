package awsmodel

import (
	"strings"
)

// bucketPath gives the path in path style and the bucket. A bucket's name stands unencoded and is one of general purpose
// buckets: access points, Object Lambda, directory buckets and table buckets are other resources under a bucket's name.
func bucketPath(path, host string) (string, string, error) {
	if host != "" {
		path = "/" + host + path
	}
	bucket, _, _ := strings.Cut(path[1:], "/")
	if bucket == "" {
		if len(path) > 1 {
			return "", "", refuse(ErrPath, "path", "it has no bucket", "")
		}
		return path, "", nil
	}
	for _, suffix := range []string{"-s3alias", "--ol-s3", "--x-s3", "--table-s3", ".mrap", "--op-s3"} {
		if strings.HasSuffix(bucket, suffix) {
			return "", "", refuse(ErrUnsupported, "bucket", "it is an access point or a bucket of another sort", "name a general purpose bucket")
		}
	}
	if strings.HasPrefix(bucket, "arn") && strings.ContainsAny(bucket, ":%") {
		return "", "", refuse(ErrUnsupported, "bucket", "it is an ARN", "name the bucket")
	}
	if !isBucket(bucket) {
		return "", "", refuse(ErrPath, "bucket", "it is not a bucket's name", "")
	}
	return path, bucket, nil
}

// isBucket takes the names that S3 allows, and the older ones of us-east-1 with upper case and underscores.
func isBucket(s string) bool {
	if len(s) < 3 || len(s) > 255 || strings.Contains(s, "..") {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case (c == '-' || c == '.' || c == '_') && i > 0:
		default:
			return false
		}
	}
	return true
}

// SourceBucket is the bucket that a copy reads, or "" where it is not told.
func (c Call) SourceBucket(p Params) string {
	if c.Service != "s3" {
		return ""
	}
	return copySource(p.Get("CopySource").Text).Get("Bucket").Text
}
