package client_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/writhq/writ/pkg/cli/clitest"
	"github.com/writhq/writ/pkg/cli/internal/client"
	"github.com/writhq/writ/pkg/identity"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

func call(t *testing.T, cfg client.Config) error {
	t.Helper()
	cfg.Dial, cfg.Now = new(net.Dialer).DialContext, time.Now
	c, err := client.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Identity.WhoAmI(t.Context(), &accessv1.WhoAmIRequest{})
	return err
}

func TestTrust(t *testing.T) {
	cp, other := clitest.StartControlPlane(t), clitest.StartControlPlane(t)
	cp.AddPrincipal("kim-token", "proof", &accessv1.Principal{Name: "kim"})
	if err := call(t, client.Config{Server: cp.URL, CAPEM: cp.CAPEM, Token: "kim-token"}); err != nil {
		t.Errorf("with the CA: %v", err)
	}
	if err := call(t, client.Config{Server: cp.URL, Pin: cp.Pin, Token: "kim-token"}); err != nil {
		t.Errorf("with the pin: %v", err)
	}
	if err := call(t, client.Config{Server: cp.URL, Pin: other.Pin, Token: "kim-token"}); !errors.Is(err, identity.ErrPin) {
		t.Errorf("with another's pin: %v", err)
	}
	for name, ca := range map[string][]byte{"another's CA": other.CAPEM, "the system's CAs": nil} {
		err := call(t, client.Config{Server: cp.URL, CAPEM: ca, Token: "kim-token"})
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
			t.Errorf("with %s: %v", name, err)
		}
	}
	if err := call(t, client.Config{Server: cp.URL, CAPEM: cp.CAPEM}); connect.CodeOf(err) != connect.CodeUnauthenticated {
		t.Errorf("without a token: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	dial := new(net.Dialer).DialContext
	for name, cfg := range map[string]client.Config{
		"plain http":   {Server: "http://h:1", Dial: dial, Now: time.Now},
		"no scheme":    {Server: "h:1", Dial: dial, Now: time.Now},
		"user in it":   {Server: "https://u:p@h:1", Dial: dial, Now: time.Now},
		"a path":       {Server: "https://h:1/x", Dial: dial, Now: time.Now},
		"CA and pin":   {Server: "https://h:1", CAPEM: []byte("x"), Pin: "sha256:00", Dial: dial, Now: time.Now},
		"short pin":    {Server: "https://h:1", Pin: "sha256:00", Dial: dial, Now: time.Now},
		"empty CA":     {Server: "https://h:1", CAPEM: []byte("x"), Dial: dial, Now: time.Now},
		"nothing else": {Server: "https://h:1"},
	} {
		if _, err := client.New(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestNoRedirect has a server that sends callers, and so their token, elsewhere.
func TestNoRedirect(t *testing.T) {
	reached := false
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer elsewhere.Close()
	lure := httptest.NewTLSServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer lure.Close()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: lure.Certificate().Raw})
	if err := call(t, client.Config{Server: lure.URL, CAPEM: ca, Token: "t"}); err == nil || reached {
		t.Errorf("followed: %v, error %v", reached, err)
	}
}
