package awsdomain

import (
	"strings"
	"testing"
)

func TestUnder(t *testing.T) {
	for host, want := range map[string]bool{
		"sts.eu-west-1.amazonaws.com":                 true,
		"bucket.with.dots.s3.amazonaws.com":           true,
		"a_bucket.s3.cn-north-1.amazonaws.com.cn":     true,
		"rds-data.eu-west-1.api.aws":                  true,
		"sts.eusc-de-east-1.amazonaws.eu":             true,
		"vpce-1-abc.sts.eu-west-1.vpce.amazonaws.com": true,
		"amazonaws.com":                               false,
		".amazonaws.com":                              false,
		"a..b.amazonaws.com":                          false,
		"xamazonaws.com":                              false,
		"sts.amazonaws.com.example.com":               false,
		"sts.amazonaws.com:443":                       false,
		"sts.amazonaws.com.":                          false,
		"STS.amazonaws.com":                           false,
		"sts\x00.amazonaws.com":                       false,
		"console.aws.amazon.com":                      false,
		"":                                            false,
		strings.Repeat("a", 250) + ".amazonaws.com":   false,
		"169.254.169.254":                             false,
	} {
		if got := Under(host); got != want {
			t.Errorf("Under(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestHas(t *testing.T) {
	for _, d := range All() {
		if !Has(d) {
			t.Errorf("%s is not there", d)
		}
	}
	for _, d := range []string{"", "com", "example.com", ".aws"} {
		if Has(d) {
			t.Errorf("%q is there", d)
		}
	}
}
