// Command miniosdk puts its standard input under a key and gets it back, with MinIO's SDK. Unlike AWS's SDKs it signs each
// chunk of a body where there is no TLS. The access key and the proxy are those of the environment.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

func main() {
	endpoint := flag.String("endpoint", "s3.eu-west-1.amazonaws.com", "host and port")
	secure := flag.Bool("tls", false, "speak TLS")
	trailers := flag.Bool("trailers", false, "send checksums behind the body, and sign them")
	part := flag.Uint64("part", 0, "bytes of a part; 0 puts all in one piece")
	flag.Parse()
	if flag.NArg() != 2 {
		fmt.Fprintln(os.Stderr, "usage: miniosdk [flags] BUCKET KEY")
		os.Exit(2)
	}
	client, err := minio.New(*endpoint, &minio.Options{Creds: credentials.NewEnvAWS(), Secure: *secure, Region: "eu-west-1", TrailingHeaders: *trailers})
	if err == nil {
		how := minio.PutObjectOptions{PartSize: *part, DisableMultipart: *part == 0}
		if *trailers {
			how.Checksum = minio.ChecksumSHA256
		}
		err = run(context.Background(), client, flag.Arg(0), flag.Arg(1), how)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, client *minio.Client, bucket, key string, how minio.PutObjectOptions) error {
	content, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	if _, err := client.PutObject(ctx, bucket, key, bytes.NewReader(content), int64(len(content)), how); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	object, err := client.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return fmt.Errorf("get: %w", err)
	}
	defer object.Close()
	back, err := io.ReadAll(object)
	if err == nil && !bytes.Equal(back, content) {
		err = errors.New("other bytes came back")
	}
	return err
}
