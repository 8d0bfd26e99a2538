package cli

import (
	"slices"
	"testing"
)

func TestHostsOfAWS(t *testing.T) {
	for entry, want := range map[string]bool{
		"*": true, ".": true, "com": true, ".com": true, "amazonaws.com": true, ".amazonaws.com": true, "*.amazonaws.com": true, "S3.eu-west-1.AmazonAWS.com": true,
		"sts.amazonaws.com:443": true, "cn": true, "s3.cn-north-1.amazonaws.com.cn": true, "api.aws": true, "s3.dualstack.eu-west-1.api.aws": true, "aws": true,
		"vpce-1.s3.eu-west-1.vpce.amazonaws.com": true,
		"example.com":                            false, "localhost": false, "127.0.0.1": false, "::1": false, "[::1]": false, "10.0.0.0/8": false, "evilamazonaws.com.example": false,
		"169.254.169.254": false,
	} {
		if got := ofAWS(entry); got != want {
			t.Errorf("%s: %t", entry, got)
		}
	}
}

// TestDirect: what is reached without the edge.
func TestDirect(t *testing.T) {
	env := Env{Environ: []string{"NO_PROXY=intern.example, .amazonaws.com", "no_proxy=intern.example,other.example"}}
	for name, c := range map[string]struct {
		way  awsWay
		want []string
	}{
		"proxy":    {awsWay{edge: "192.0.2.1:6445"}, []string{"127.0.0.1", "localhost", "writ.example", "intern.example", "other.example"}},
		"endpoint": {awsWay{edge: "[::1]:6445", endpoint: true}, []string{"127.0.0.1", "localhost", "writ.example", "::1", "intern.example", ".amazonaws.com", "other.example"}},
	} {
		e := awsEnviron{way: c.way, server: "https://writ.example:8443"}
		if got := e.direct(env); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
