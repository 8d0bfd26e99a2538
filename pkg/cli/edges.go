package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/writhq/writ/pkg/cli/internal/output"
	accessv1 "github.com/writhq/writ/proto/access/v1"
)

type edgesCmd struct {
	Join   edgesJoinCmd   `cmd:"" help:"Make a one-time token with which one edge enrols."`
	List   edgesListCmd   `cmd:"" help:"List edges."`
	Remove edgesRemoveCmd `cmd:"" help:"Refuse an edge from now on and end its sessions."`
}

type edgesJoinCmd struct {
	Edge string        `arg:"" name:"name" help:"The edge's name, to which resources refer."`
	Name []string      `name:"name" placeholder:"DNS|IP" required:"" help:"Name or address at which clients reach it; repeat it for more."`
	TTL  time.Duration `name:"ttl" placeholder:"1h" help:"How long the token is good, 24h at most. Default: 1h."`
}

// Help is shown below the usage.
func (edgesJoinCmd) Help() string {
	return examples("writ edges join edge-a --name edge-a.vpc.example --name 10.0.0.9")
}

// Run makes a join token and says how to start the edge with it.
func (c *edgesJoinCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	req := &accessv1.CreateJoinTokenRequest{Edge: c.Edge, Names: c.Name}
	if c.TTL != 0 {
		req.Ttl = durationpb.New(c.TTL)
	}
	resp, err := clients.Edges.CreateJoinToken(ctx, req)
	if err != nil {
		return err
	}
	return a.show(resp, func() error {
		err := a.out.Fields(
			output.Field{Name: "token", Value: resp.GetToken()},
			output.Field{Name: "pin", Value: resp.GetPin()},
			output.Field{Name: "control plane", Value: resp.GetAddress()},
			output.Field{Name: "expires", Value: output.Moment(a.env.Now(), resp.GetExpiresAt())},
		)
		if err != nil {
			return err
		}
		return a.out.Printf("\nStart it on the edge's machine before the token expires:\n\n  WRIT_EDGE_JOIN_TOKEN=%s writ-edge %s",
			quote(resp.GetToken()), strings.Join(c.edgeFlags(resp), " "))
	})
}

// edgePort is the port that writ-edge serves PostgreSQL clients on by default.
const edgePort = "6432"

// clusterPort is the port that writ-edge serves Kubernetes clients on by default.
const clusterPort = "6444"

// edgeFlags are the flags for the edge's first start. An edge listens on loopback unless it is told otherwise.
func (c *edgesJoinCmd) edgeFlags(resp *accessv1.CreateJoinTokenResponse) []string {
	flags := []string{"--control-plane", quote(resp.GetAddress()), "--pin", quote(resp.GetPin())}
	name := c.Name[0]
	if ip, err := netip.ParseAddr(name); name == "localhost" || err == nil && ip.IsLoopback() {
		return flags
	}
	return append(flags, "--listen-postgres", "0.0.0.0:"+edgePort, "--advertise", quote(net.JoinHostPort(name, edgePort)),
		"--listen-kubernetes", "0.0.0.0:"+clusterPort, "--advertise-kubernetes", quote(net.JoinHostPort(name, clusterPort)))
}

// quote makes s one word of a shell command line.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.:/@+=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

type edgesListCmd struct{}

// Help is shown below the usage.
func (edgesListCmd) Help() string { return examples("writ edges list") }

// Run lists edges.
func (edgesListCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Edges.ListEdges(ctx, &accessv1.ListEdgesRequest{})
	if err != nil {
		return err
	}
	return a.show(resp, func() error {
		t := output.NewTable("NAME", "STATE", "REVISION~", "SESSIONS", "LAG", "VERSION", "ENDPOINTS~", "SEEN")
		for _, e := range resp.GetEdges() {
			t.Add(e.GetName(), edgeState(e), edgeRevision(e), strconv.Itoa(int(e.GetLiveSessions())), recordLag(e), e.GetVersion(),
				strings.Join(slices.Concat(e.GetEndpoints(), e.GetKubernetesEndpoints(), e.GetAwsEndpoints()), ", "), output.Relative(a.env.Now(), e.GetSeenAt()))
		}
		return a.out.Table("", t, "no edges")
	})
}

func edgeState(e *accessv1.Edge) string {
	switch {
	case e.GetRemoved():
		return "removed"
	case e.GetConnected():
		return "connected"
	}
	return "away"
}

// edgeRevision is what the edge enforces, and how far that is from what it should.
func edgeRevision(e *accessv1.Edge) string {
	enforced := strconv.FormatUint(e.GetRevision(), 10)
	switch {
	case e.GetPolicyError() != "":
		return fmt.Sprintf("%s, cannot enforce %d: %s", enforced, e.GetNewestRevision(), e.GetPolicyError())
	case e.GetConnected() && e.GetRevision() < e.GetNewestRevision():
		return fmt.Sprintf("%s of %d", enforced, e.GetNewestRevision())
	}
	return enforced
}

// recordLag is empty for an edge whose records arrive as they are made.
func recordLag(e *accessv1.Edge) string {
	if e.GetRecordLag().AsDuration() < time.Second {
		return ""
	}
	return output.Duration(e.GetRecordLag())
}

type edgesRemoveCmd struct {
	Name string `arg:"" help:"The edge's name."`
}

// Help is shown below the usage.
func (edgesRemoveCmd) Help() string { return examples("writ edges remove edge-a") }

// Run removes an edge.
func (c *edgesRemoveCmd) Run(ctx context.Context, a *app) error {
	clients, err := a.control()
	if err != nil {
		return err
	}
	resp, err := clients.Edges.RemoveEdge(ctx, &accessv1.RemoveEdgeRequest{Name: c.Name})
	if err != nil {
		return err
	}
	return a.say(resp, "removed %s", c.Name)
}
