package kubeapi_test

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/kubeapi"
)

func TestCheckHeader(t *testing.T) {
	for _, h := range []http.Header{
		nil,
		{"Accept": {"application/json, */*"}, "User-Agent": {"kubectl/v1.33.0"}, "Authorization": {"Bearer x"}, "Accept-Encoding": {"gzip"}},
		{"Kubectl-Command": {"kubectl get"}, "Kubectl-Session": {"1"}, "Content-Type": {"application/json"}, "Content-Length": {"5"}, "Expect": {"100-continue"}},
		{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}, "X-Stream-Protocol-Version": {"v5.channel.k8s.io", "v4.channel.k8s.io"}},
		{"Connection": {"keep-alive, close"}, "Transfer-Encoding": {"chunked"}, "Traceparent": {"00-1-2-01"}},
	} {
		if err := kubeapi.CheckHeader(h); err != nil {
			t.Errorf("%v: %v", h, err)
		}
	}
	for _, h := range []http.Header{
		{"Impersonate-User": {"a"}}, {"Impersonate-Group": {"system:masters"}}, {"Impersonate-Uid": {"1"}}, {"Impersonate-Extra-Scopes": {"a"}}, {"Impersonate-Extra-": {"a"}},
		{"impersonate-user": {"a"}}, {"IMPERSONATE-USER": {"a"}}, {"Impersonate_user": {"a"}}, {"Impersonate_User": {"a"}}, {"Impersonate-User ": {"a"}}, {" Impersonate-User": {"a"}},
		{"Impersonate.user": {"a"}}, {"Impersonate": {"a"}}, {"\u0130mpersonate-User": {"a"}}, {"Impersonate-U\u017fer": {"a"}}, {"Impersonate-Group": {}},
		{"X-Remote-User": {"a"}}, {"X-Remote-Group": {"a"}}, {"X-Remote-Extra-A": {"a"}}, {"X_remote_user": {"a"}}, {"X-Remote-Uid": {"a"}},
		{"X-Forwarded-For": {"a"}}, {"X-Forwarded-Host": {"a"}}, {"Forwarded": {"for=a"}}, {"X-Real-Ip": {"a"}}, {"X-Original-Url": {"/"}}, {"X-Rewrite-Url": {"/"}}, {"X-Host": {"a"}},
		{"X-Http-Method-Override": {"DELETE"}, "Accept": {"a"}}, {"X-Http-Method": {"DELETE"}}, {"X-Method-Override": {"DELETE"}},
		{"Connection": {"Impersonate-User, Authorization"}}, {"Connection": {"close", "authorization"}}, {"Connection": {""}}, {"Connection": {"upgrade;x"}}, {"Connection": {"close,,"}},
		{"connection": {"Authorization"}}, {"Te": {"trailers"}}, {"Trailer": {"Authorization"}}, {"Proxy-Authorization": {"a"}}, {"Proxy-Connection": {"close"}}, {"Http2-Settings": {"a"}},
		{"Transfer-Encoding": {"gzip, chunked"}}, {"Transfer-Encoding": {"chunked", "chunked"}}, {"Transfer-Encoding": {"xchunked"}}, {"Transfer-Encoding": {""}}, {"Content-Encoding": {"gzip"}}, {"Content-Encoding": {"identity", "identity"}},
		{"Authorization": {"a", "b"}}, {"Host": {"a", "b"}}, {"Content-Type": {"a", "a"}}, {"Content-Length": {"1", "1"}}, {"Upgrade": {"a", "b"}},
		{"Accept": {"a\r\nb"}}, {"Accept": {"a\nb"}}, {"Accept": {"a\x00"}}, {"": {"a"}}, {"A b": {"a"}}, {"A:b": {"a"}}, {"A\r\nB": {"a"}}, {"\xff": {"a"}},
		{"Sec-Websocket-Protocol": {"v5.channel.k8s.io, base64url.bearer.authorization.k8s.io.eHg"}}, {"Sec-Websocket-Protocol": {"v5", "Base64url.Bearer.Authorization.k8s.io.eHg"}},
	} {
		err := kubeapi.CheckHeader(h)
		if !errors.Is(err, kubeapi.ErrHeader) || !strings.Contains(err.Error(), "header") {
			t.Errorf("%q: %v", h, err)
		}
		if _, err := kubeapi.Parse("GET", "/version", "", h); !errors.Is(err, kubeapi.ErrHeader) {
			t.Errorf("Parse with %q: %v", h, err)
		}
	}
}

func TestForwardHeader(t *testing.T) {
	in := http.Header{
		"Accept": {"a", "b"}, "Content-Type": {"c"}, "User-Agent": {"u"}, "Authorization": {"Bearer secret"}, "Cookie": {"secret"}, "Audit-Id": {"x"}, "Impersonate-User": {"a"},
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Accept-Encoding": {"gzip"}, "Sec-Websocket-Key": {"k"}, "If-None-Match": {`"e"`}, "X-Anything": {"x"}, "Warning": {"w"},
		"accept": {"other"}, "Content-Length": {"4"}, "Host": {"h"},
	}
	out := kubeapi.ForwardHeader(in)
	want := http.Header{"Accept": {"a", "b"}, "Content-Type": {"c"}, "User-Agent": {"u"}, "Sec-Websocket-Key": {"k"}, "If-None-Match": {`"e"`}}
	if !reflect.DeepEqual(out, want) {
		t.Errorf("%v", out)
	}
	out["Accept"][0] = "changed"
	if in["Accept"][0] != "a" {
		t.Error("the copy shares its values")
	}
}
