package awsconfig_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestBotocoreReadsTheSame holds what is written against the reader that the aws command line and boto3 share.
func TestBotocoreReadsTheSame(t *testing.T) {
	if err := exec.Command("python3", "-c", "import botocore").Run(); err != nil {
		t.Skip("botocore is missing")
	}
	f := parse(t, "[default]\nregion = x\n\n[profile a]\ns3 =\n  max_concurrent_requests = 2\n")
	p := prod
	p.Endpoint = "http://127.0.0.1:7443"
	if err := f.Put(p); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(name, f.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	const program = `
import sys, botocore.configloader as c, botocore.compat as k
p = c.load_config(sys.argv[1])["profiles"]
w = p["writ-prod"]
print(sorted(p), k.compat_shell_split(w["credential_process"])[2:4], w["ca_bundle"], w["endpoint_url"], w["region"], w["s3"], p["a"]["s3"])
`
	out, err := exec.Command("python3", "-c", program, name).CombinedOutput()
	want := "['a', 'default', 'writ-prod'] ['credentials', 'prod'] /home/k i/.aws/writ/writ-prod.pem http://127.0.0.1:7443 eu-west-1 " +
		"{'signature_version': 's3v4', 'addressing_style': 'path'} {'max_concurrent_requests': '2'}"
	if err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("%v: got %s", err, out)
	}
}
