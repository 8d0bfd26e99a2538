package aws

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/writhq/writ/test/mototest"
)

// jsClient returns node and the client made with AWS's SDK for JavaScript.
func jsClient(t *testing.T) (node, client string) {
	t.Helper()
	dir, err := filepath.Abs("../../../test/awsjs")
	if err != nil {
		t.Fatal(err)
	}
	node, err = exec.LookPath("node")
	if _, missing := os.Stat(filepath.Join(dir, "node_modules", "@aws-sdk")); err != nil || missing != nil {
		if os.Getenv("WRIT_NEED_AWSJS") == "1" {
			t.Fatal("Node.js or AWS's SDK for JavaScript is missing: make awsjs")
		}
		t.Skip("Node.js or AWS's SDK for JavaScript is missing: make awsjs")
	}
	return node, filepath.Join(dir, "client.js")
}

// javascript runs the client, which trusts the CA of its own variable alone.
func (b *bed) javascript(t *testing.T, proxy bool, what, name string) {
	t.Helper()
	node, client := jsClient(t)
	b.program(t, proxy, nil, "env", "NODE_EXTRA_CA_CERTS="+b.ca, node, client, what, name)
}

// TestJavaScript: the SDK for JavaScript works at the endpoint as it is, and through the proxy with an agent for proxies.
func TestJavaScript(t *testing.T) {
	jsClient(t)
	b := newBed(t)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			b.javascript(t, proxy, "control", mototest.Account)
		})
	}
}

// TestStrictJavaScript: the same with S3, its odd keys, parts and presigned URLs.
func TestStrictJavaScript(t *testing.T) {
	jsClient(t)
	b := newStrict(t)
	for name, proxy := range ways {
		t.Run(name, func(t *testing.T) {
			b.javascript(t, proxy, "store", b.bucket(t, "js-"+strings.ReplaceAll(name, " ", "-")))
		})
	}
}
