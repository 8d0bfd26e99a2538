// Package mototest runs moto, an emulation of AWS that verifies signatures, for tests.
package mototest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/writhq/writ/pkg/sigv4"
)

// Account is the account of everything that is made here.
const Account = "123456789012"

const everything = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`

// startLimit is how long moto may take to listen, and to load a service at its first call.
const startLimit = 60 * time.Second

// Server is a running moto that takes only signed requests.
type Server struct {
	URL string
	// Key and Secret are of an IAM user who may assume every role.
	Key, Secret string
	client      *http.Client
}

// ManagedPolicies is a setting with which AWS's own policies are there.
const ManagedPolicies = "MOTO_IAM_LOAD_MANAGED_POLICIES=true"

// Start runs moto, with settings "NAME=value", until the test ends. It skips the test on a machine without it: pip install 'moto[server]'.
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("moto_server")
	if err != nil {
		t.Skip("moto is missing: pip install 'moto[server]'")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	_, port, _ := net.SplitHostPort(addr)
	log, err := os.Create(filepath.Join(t.TempDir(), "moto.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-H", "127.0.0.1", "-p", port)
	cmd.Env = append(append(os.Environ(), "INITIAL_NO_AUTH_ACTION_COUNT=3"), settings...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = log.Close()
	})
	s := &Server{URL: "http://" + addr, client: &http.Client{Timeout: startLimit}}
	if err := s.prepare(addr); err != nil {
		t.Fatal(err)
	}
	return s
}

// prepare waits for moto and makes the user, in the three calls that need no signature.
func (s *Server) prepare(addr string) error {
	deadline := time.Now().Add(startLimit)
	for {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("moto does not listen: %w", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if _, err := s.iam("Action=CreateUser&UserName=tester"); err != nil {
		return err
	}
	if _, err := s.iam("Action=PutUserPolicy&UserName=tester&PolicyName=all&PolicyDocument=" + url.QueryEscape(everything)); err != nil {
		return err
	}
	made, err := s.iam("Action=CreateAccessKey&UserName=tester")
	if err != nil {
		return err
	}
	var key struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := xml.Unmarshal(made, &key); err != nil || key.ID == "" {
		return errors.Join(errors.New("moto gave no access key"), err)
	}
	s.Key, s.Secret = key.ID, key.Secret
	return nil
}

func (s *Server) iam(form string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/", strings.NewReader(form+"&Version=2010-05-08"))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=none/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=none")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("moto: %s: %s %w", resp.Status, body, err)
	}
	return body, nil
}

// Role makes a role with an inline policy that allows everything, and returns its ARN.
func (s *Server) Role(t testing.TB, name string) string {
	t.Helper()
	const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	for _, form := range []string{
		"Action=CreateRole&RoleName=" + name + "&AssumeRolePolicyDocument=" + url.QueryEscape(trust),
		"Action=PutRolePolicy&RoleName=" + name + "&PolicyName=all&PolicyDocument=" + url.QueryEscape(everything),
	} {
		if err := s.signed(form); err != nil {
			t.Fatal(err)
		}
	}
	return "arn:aws:iam::" + Account + ":role/" + name
}

// IAM makes a call of IAM as the user: an action and its parameters.
func (s *Server) IAM(t testing.TB, action string, params ...string) {
	t.Helper()
	form := url.Values{"Action": {action}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	if err := s.signed(form.Encode()); err != nil {
		t.Fatal(err)
	}
}

// signed makes a call of IAM as the user.
func (s *Server) signed(form string) error {
	body := form + "&Version=2010-05-08"
	sum := sha256.Sum256([]byte(body))
	target, err := url.Parse(s.URL)
	if err != nil {
		return err
	}
	r := &sigv4.Request{Method: http.MethodPost, Host: target.Host, Path: "/", Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, Length: int64(len(body))}
	signed, err := sigv4.NewSigner(nil).Sign(r, sigv4.Credentials{KeyID: s.Key, Secret: s.Secret}, sigv4.Target{Service: "iam", Region: "us-east-1"}, hex.EncodeToString(sum[:]), time.Now())
	if err != nil {
		return err
	}
	signed.Set(r.Header)
	req, err := http.NewRequest(http.MethodPost, s.URL+"/", strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = r.Header
	resp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("moto: %s: %s %w", resp.Status, text, err)
	}
	return nil
}
