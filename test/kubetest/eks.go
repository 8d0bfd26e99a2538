package kubetest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// EKS verifies bearer tokens as the control plane of an EKS cluster does, by the code of aws-iam-authenticator. The roles were
// assumed at a moto (test/mototest), which stands for AWS.
type EKS struct {
	Cluster string // its name, which is part of a token
	Region  string
	Moto    string // URL
	// Roles, by their ARN, have an access entry, which gives who has assumed them the groups. The user's name is the ARN of the
	// session: arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION. Only for Webhook.
	Roles map[string][]string
}

// EKSIdentity is whose a token is.
type EKSIdentity struct {
	ARN          string `json:"arn"`           // arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
	CanonicalARN string `json:"canonical_arn"` // arn:aws:iam::ACCOUNT:role/ROLE
	Account      string `json:"account"`
	UserID       string `json:"user_id"`
	SessionName  string `json:"session_name"`
	AccessKeyID  string `json:"access_key_id"`
}

// ErrEKSDenied is a token that the cluster does not take.
var ErrEKSDenied = errors.New("the cluster does not take the token")

// Verify says whose a token is. A token that is not taken is ErrEKSDenied. It skips the test where the lab is missing.
func (e EKS) Verify(t testing.TB, token string) (EKSIdentity, error) {
	t.Helper()
	cmd := e.command(t)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(token), &stdout, &stderr
	var id EKSIdentity
	if err := cmd.Run(); err != nil {
		return id, fmt.Errorf("%w: %w: %s", ErrEKSDenied, err, stderr.Bytes())
	}
	if err := json.Unmarshal(stdout.Bytes(), &id); err != nil {
		t.Fatal(err)
	}
	return id, nil
}

// Webhook verifies tokens for an API server until the test ends, and gives what Config.TokenWebhook takes.
func (e EKS) Webhook(t testing.TB) (kubeconfig string) {
	t.Helper()
	args := []string{"-dir", t.TempDir()}
	for role, groups := range e.Roles {
		args = append(args, "-role", role+"="+strings.Join(groups, ","))
	}
	cmd := e.command(t, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = in, &stderr
	err = cmd.Start()
	_ = in.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_ = out.SetReadDeadline(time.Now().Add(startLimit))
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var said struct{ Kubeconfig string }
	if err == nil {
		err = json.Unmarshal(line, &said)
	}
	if err != nil {
		t.Fatalf("start the verifier of tokens: %v", err)
	}
	return said.Kubeconfig
}

// command prepares the program: with more arguments it serves.
func (e EKS) command(t testing.TB, serve ...string) *exec.Cmd {
	t.Helper()
	lab, err := binary()
	if err != nil {
		giveUp(t, err)
	}
	args := []string{"-cluster", e.Cluster, "-region", e.Region, "-moto", e.Moto}
	if len(serve) > 0 {
		args = append(append([]string{"serve"}, args...), serve...)
	}
	return exec.CommandContext(t.Context(), filepath.Join(filepath.Dir(lab), "eksverify"), args...)
}
