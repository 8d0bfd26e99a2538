package aws

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The edge keeps its CA over restarts, replaces it before it ends, and can sign for AWS's hosts alone.
func TestCA(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	ca, first, err := LoadCA(dir, "edge-a", now)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, caFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, again, err := LoadCA(dir, "edge-a", now.Add(300*24*time.Hour)); err != nil || !bytes.Equal(first, again) {
		t.Errorf("another CA: %v", err)
	}
	if _, next, err := LoadCA(dir, "edge-a", now.Add(340*24*time.Hour)); err != nil || bytes.Equal(first, next) {
		t.Errorf("the same CA, which is about to end: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, caFile), []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := LoadCA(dir, "edge-a", now); err != nil {
		t.Error(err)
	}

	authority, err := NewAuthority(ca, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(first)
	for host, good := range map[string]bool{
		"sts.amazonaws.com": true, "bucket.s3.eu-west-1.amazonaws.com": true, "s3.cn-north-1.amazonaws.com.cn": true, "lambda.eu-west-1.api.aws": true,
		"example.com": false, "amazonaws.com.example.com": false, "evilamazonaws.com": false,
	} {
		cert, err := authority.leaf(host)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(cert.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: now}); (err == nil) != good {
			t.Errorf("%s: %v", host, err)
		}
	}
	for i := range maxLeaves + 10 {
		if _, err := authority.leaf(fmt.Sprintf("h%d.amazonaws.com", i)); err != nil {
			t.Fatal(err)
		}
	}
	if len(authority.leaves) != authority.recent.Len() || authority.recent.Len() > maxLeaves {
		t.Errorf("%d and %d leaves are kept", len(authority.leaves), authority.recent.Len())
	}
}
