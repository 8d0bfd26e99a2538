package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/writhq/writ/pkg/sigv4"
	"github.com/writhq/writ/test/s3test"
)

// cloud is what stands for AWS, with three ways to it.
type cloud struct {
	sts            *httptest.Server
	upstream, peer *child
	at             upstreamAt
	paths          []awsPath // direct, a proxy that only signs, edge
}

// startCloud starts what the control plane and the edge call.
func startCloud() (*cloud, error) {
	c := &cloud{}
	err := c.start()
	if err != nil {
		c.stop()
	}
	return c, err
}

func (c *cloud) start() (err error) {
	if c.upstream, err = startChild("aws-upstream"); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(c.upstream.said), &c.at); err != nil {
		return fmt.Errorf("aws-upstream says %q: %w", c.upstream.said, err)
	}
	if c.peer, err = startChild("aws-peer", c.at.Address); err != nil {
		return err
	}
	c.sts = (&s3test.STS{Key: upstreamKeys.AccessKeyID, Secret: upstreamKeys.SecretAccessKey, Token: upstreamKeys.SessionToken}).Start()
	return nil
}

func (c *cloud) stop() {
	if c == nil {
		return
	}
	c.peer.stop()
	c.upstream.stop()
	if c.sts != nil {
		c.sts.Close()
	}
}

// environ is what the control plane needs.
func (c *cloud) environ() []string {
	return []string{"AWS_ENDPOINT_URL=" + c.sts.URL, "AWS_ACCESS_KEY_ID=AKIAHUB0000000000000", "AWS_SECRET_ACCESS_KEY=hub", "AWS_REGION=eu-west-1", "AWS_EC2_METADATA_DISABLED=true"}
}

const awsManifest = `
kind: aws
name: account
labels: {env: demo}
edges: [edge-a]
account: "123456789012"
role_arn: arn:aws:iam::123456789012:role/agents
endpoint: %q
allow_loopback: true
tls: {mode: verify-full, ca_file: %q, server_name: example.com}
credential:
  assume_role: {external_id: bench}
`

// aws compares the edge with a proxy that signs and does nothing else, and with what stands for AWS itself.
func (b *bed) aws(ctx context.Context) ([]Figure, error) {
	if err := b.prepareAWS(ctx); err != nil {
		return nil, err
	}
	figures, err := b.smallCalls(ctx)
	if err != nil {
		return nil, err
	}
	streams, err := b.streams(ctx)
	return append(figures, streams...), err
}

// prepareAWS puts the account into the inventory, and gets a key for it.
func (b *bed) prepareAWS(ctx context.Context) error {
	ca := filepath.Join(b.dir, "aws.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: b.cloud.at.Cert}), 0o600); err != nil {
		return err
	}
	if err := b.w.Apply(ctx, fmt.Sprintf(awsManifest, "https://"+b.cloud.at.Address, ca)); err != nil {
		return err
	}
	agent := b.w.Token("bench@example.com", "agent", "agents")
	if err := b.agree(b.w.Writ(ctx, agent, "request", "account", "--for", "1h", "--reason", "bench", "--no-wait")); err != nil {
		return err
	}
	out, err := b.w.Writ(ctx, agent, "aws", "credentials", "account")
	if err != nil {
		return err
	}
	var key struct {
		AccessKeyID, SecretAccessKey, SessionToken string
	}
	if err := json.Unmarshal([]byte(out), &key); err != nil {
		return errors.Join(errors.New("writ aws credentials"), err)
	}
	agents := sigv4.Credentials{KeyID: key.AccessKeyID, Secret: key.SecretAccessKey, SessionToken: key.SessionToken}
	b.cloud.paths = []awsPath{
		{name: "direct", scheme: "https", address: b.cloud.at.Address, keys: agents},
		{name: "a proxy that only signs", scheme: "http", address: b.cloud.peer.said, keys: agents, pid: b.cloud.peer.cmd.Process.Pid},
		{name: "writ-edge", scheme: "http", address: b.w.AWS, keys: agents, pid: b.w.Edge.PID()},
	}
	return nil
}

// agree approves a request that waits for it, as one for a role does that nobody could read.
func (b *bed) agree(out string, err error) error {
	id := regexp.MustCompile(`req-[0-9a-z]+`).FindString(fmt.Sprint(out, err))
	if err == nil || id == "" {
		return err
	}
	_, err = b.w.Writ(context.Background(), b.w.Token("sam@example.com", "person", "sre"), "approve", id, "--yes")
	return err
}

// smallCalls compares the rates of small calls at 1 and 16 connections, and what a call costs the two proxies.
func (b *bed) smallCalls(ctx context.Context) (figures []Figure, err error) {
	for _, c := range smallCalls {
		for _, conns := range []int{1, 16} {
			runs, cpu := make([][]sample, len(b.cloud.paths)), make([][]float64, len(b.cloud.paths))
			for round := range b.rounds {
				for i := range b.cloud.paths {
					at := (i + round) % len(b.cloud.paths)
					s, cost, err := b.measureCall(ctx, b.cloud.paths[at], c, conns)
					if err != nil {
						return nil, err
					}
					fmt.Fprintf(os.Stderr, "%s, %d connections  %-24s %8.0f/s  p50 %.3f ms  p99 %.3f ms  %.0f us of CPU\n", c.name, conns, b.cloud.paths[at].name, s.tps, s.p50, s.p99, cost)
					runs[at], cpu[at] = append(runs[at], s), append(cpu[at], cost)
				}
			}
			direct, peer, edge := median(runs[0]), median(runs[1]), median(runs[2])
			what := fmt.Sprintf("%s, %d connections", c.name, conns)
			figures = append(figures,
				atLeast(what, "/s", edge.tps, peer.tps, b.cloud.paths[1].name, 1),
				atLeast(what+", against direct", "/s", edge.tps, direct.tps, "direct", 0),
				atMost(what+", p99", "ms", edge.p99, peer.p99, b.cloud.paths[1].name, 1),
				atMost(what+", CPU", "us", slices.Min(cpu[2]), slices.Min(cpu[1]), b.cloud.paths[1].name, 1))
		}
	}
	return figures, nil
}

// measureCall returns what a client saw, and the processor's time that each call took of the proxy, in microseconds.
func (b *bed) measureCall(ctx context.Context, p awsPath, c awsCall, conns int) (s sample, cost float64, err error) {
	before, err := cpuTime(p.pid)
	if err != nil {
		return s, 0, err
	}
	if s, err = p.load(ctx, c, conns, b.time); err != nil {
		return s, 0, err
	}
	after, err := cpuTime(p.pid)
	return s, float64((after - before).Microseconds()) / (s.tps * b.time.Seconds()), err
}

// ticks are what /proc counts a second of a processor's time in, on every Linux of today.
const ticks = 100

// cpuTime is what a process took so far, where /proc tells it; 0 is nobody.
func cpuTime(pid int) (time.Duration, error) {
	if pid == 0 {
		return 0, nil
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("no times of process %d", pid)
	}
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticks, errors.Join(err, err2)
}

// streams compares how fast a big object goes up and down.
func (b *bed) streams(ctx context.Context) (figures []Figure, err error) {
	size := int64(b.stream) << 20
	for _, way := range []struct{ name, method string }{{"up", http.MethodPut}, {"down", http.MethodGet}} {
		times := make([][]time.Duration, len(b.cloud.paths))
		for range max(b.rounds, 3) {
			for i, p := range b.cloud.paths {
				d, err := p.stream(ctx, way.method, size)
				if err != nil {
					return nil, err
				}
				times[i] = append(times[i], d)
			}
		}
		rate := func(i int) float64 { return float64(size) / 1e6 / slices.Min(times[i]).Seconds() }
		what := fmt.Sprintf("S3 object of %d MB %s", b.stream, way.name)
		figures = append(figures,
			atLeast(what, "MB/s", rate(2), rate(1), b.cloud.paths[1].name, 1), atLeast(what+", against direct", "MB/s", rate(2), rate(0), "direct", 0))
	}
	return figures, nil
}
