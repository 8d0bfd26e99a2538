package kubeapi_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/writhq/writ/pkg/kubeapi"
)

func TestParseRefusesPaths(t *testing.T) {
	for _, path := range []string{
		"", "api/v1/pods", "//api/v1/pods", "/api//v1/pods", "/api/v1/pods/", "/api/v1/./pods", "/api/v1/../v1/pods",
		"/api/v1/%2e%2e/pods", "/api/v1/%2E/pods", "/api/v1/namespaces/a/pods/x%2Fexec", "/api/v1/namespaces/a/pods/x%252Fexec",
		"/api/v1/namespaces/a/secrets;x=1", "/api/v1/namespaces/a/secrets%3Bx", `/api/v1/namespaces/a\secrets`, "/api/v1/namespaces/a%5Csecrets",
		"/API/v1/pods", "/api/V1/pods", "/api/v1/Pods", "/api/v1/namespaces/A/pods", "/api/v1/namespaces/a/pods/x/Exec",
		"/api/v1/pods%00", "/api/v1/pods%0a", "/api/v1/pods%", "/api/v1/pods%2", "/api/v1/pods%zz", "/api/v1/p%6fds",
		"/api/v1/pods?x", "/api/v1/pods#x", "/api/v1/p\u00f6ds", "/api/v1/p%C3%B6ds", "/api/v1/proxy/nodes/x", "/api/v1/watch",
		"/apis/Apps/v1/deployments", "/apis/apps/v1/namespaces/a/deployments/x/scale/y", "/api/v1/namespaces/a/status/b",
	} {
		if r, err := kubeapi.Parse("GET", path, "", nil); !errors.Is(err, kubeapi.ErrPath) {
			t.Errorf("Parse(%q) = %+v, %v", path, r, err)
		}
	}
}

func TestParseUpgrade(t *testing.T) {
	up := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}}
	r, err := kubeapi.Parse("GET", "/api/v1/namespaces/a/pods/x/exec", "command=sh&stdin=true&stdout=1&tty=False", up)
	if err != nil || r.Upgrade != kubeapi.WebSocket || r.Verb != "get" || r.Exec == nil || !r.Exec.Stdin || !r.Exec.Stdout || r.Exec.TTY {
		t.Errorf("%+v %v", r, err)
	}
	for _, path := range []string{"/api/v1/namespaces/a/pods/x/log", "/api/v1/pods", "/version", "/api/v1/namespaces/a/pods/x/proxy"} {
		if _, err := kubeapi.Parse("GET", path, "", up); !errors.Is(err, kubeapi.ErrUpgrade) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
