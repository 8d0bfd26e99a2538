package kubetest

import (
	"os"
	"testing"
)

var cluster = Shared{Config: Config{Users: map[string][]string{"gateway": nil, "dev": {"devs", "qa"}}}}

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	os.Exit(cluster.Main(m))
}
