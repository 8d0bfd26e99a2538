package kubernetes

import (
	"os"
	"testing"

	"github.com/writhq/writ/test/kubetest"
)

var apiserver kubetest.Shared

func TestMain(m *testing.M) { os.Exit(apiserver.Main(m)) }
