package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strconv"

	"github.com/writhq/writ/pkg/cli/internal/output"
	"github.com/writhq/writ/pkg/cli/internal/pgtunnel"
)

const (
	// socketPort is the port that PostgreSQL clients look for in a socket's name unless told otherwise.
	socketPort = 5432
	// maxSocketPath is what every supported system takes as a socket's path, in bytes.
	maxSocketPath = 103
)

type connectCmd struct {
	Resource string `arg:"" help:"The resource's name."`
	Listen   string `xor:"where" placeholder:"ADDR" help:"Loopback address and port to listen on. Default: 127.0.0.1 and a free port."`
	Socket   string `xor:"where" placeholder:"DIR" help:"Listen on a unix socket in this folder, which only you may enter, instead."`
	Grant    string `placeholder:"GRANT" help:"Use this grant. Default: the active one that lasts longest."`
}

// Help is shown below the usage.
func (connectCmd) Help() string {
	return "Clients connect to the port without TLS and password; to the edge the connection is verified TLS, signed in with " +
		"your access token. Whoever reaches the port acts as you: on a machine with other users take --socket.\n\n" +
		examples("writ connect orders-db", "writ connect orders-db --listen 127.0.0.1:15432", "writ connect orders-db --socket ~/.writ-orders")
}

// connection is what a client needs; it is the JSON form of the command's output.
type connection struct {
	URL       string `json:"url"`
	Host      string `json:"host"`
	Port      int    `json:"port"`
	User      string `json:"user"`
	Database  string `json:"database"`
	Grant     string `json:"grant"`
	ExpiresAt string `json:"expires_at"`
}

// Run listens until it is interrupted.
func (c *connectCmd) Run(ctx context.Context, a *app) error {
	source, tunnel, err := a.tunnel(ctx, c.Resource, c.Grant)
	if err != nil {
		return err
	}
	ln, err := c.listen(ctx)
	if err != nil {
		return err
	}
	defer ln.Close()
	if err := a.announce(source, ln.Addr()); err != nil {
		return err
	}
	return tunnel.Serve(ctx, ln)
}

// tunnel returns a tunnel to a resource under one of the caller's grants, with a first token at hand.
func (a *app) tunnel(ctx context.Context, resource, grant string) (*tokens, *pgtunnel.Tunnel, error) {
	clients, err := a.control()
	if err != nil {
		return nil, nil, err
	}
	name := resource
	if grant != "" {
		name = grant
	}
	source, err := newTokens(ctx, a, clients, name)
	if err != nil {
		return nil, nil, err
	}
	if g, _ := source.about(); g.GetResource() != resource {
		return nil, nil, misused("", "%s is a grant for %s, not for %s", g.GetId(), g.GetResource(), resource)
	}
	if _, tok := source.about(); tok.GetAwsKey() != nil {
		return nil, nil, misused("go on with: writ aws exec "+resource+" -- aws sts get-caller-identity", "%s is no database", resource)
	} else if tok.GetDatabase() == "" {
		return nil, nil, misused("if it is a cluster: writ kube login "+resource, "%s is no database", resource)
	}
	tunnel, err := pgtunnel.New(pgtunnel.Config{
		Source: source, Dial: a.env.Dial, OSUser: a.env.User,
		Report: func(err error) { a.note("connection: %s", err) },
	})
	return source, tunnel, err
}

func (c *connectCmd) listen(ctx context.Context) (net.Listener, error) {
	if c.Socket != "" {
		return listenSocket(ctx, c.Socket)
	}
	address := c.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, misused("for example 127.0.0.1:15432", "--listen is not an address and a port")
	}
	if ip, err := netip.ParseAddr(host); err != nil || !ip.IsLoopback() {
		return nil, misused("give 127.0.0.1 or ::1", "--listen %s: others could use your grant there", address)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, failed("take another port, or 0 for a free one", "listen: %w", err)
	}
	return ln, nil
}

// listenSocket listens in a folder that only the user may enter, and makes it where it is missing.
func listenSocket(ctx context.Context, dir string) (net.Listener, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find socket folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make socket folder: %w", err)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("look at socket folder: %w", err)
	case !info.IsDir() || info.Mode().Perm()&0o077 != 0:
		return nil, failed("chmod 700 it, or name a folder that is not there yet", "others may enter the socket folder %s", dir)
	}
	path := filepath.Join(dir, ".s.PGSQL."+strconv.Itoa(socketPort))
	if len(path) > maxSocketPath {
		return nil, failed("take a shorter folder name", "the socket's path is longer than %d bytes", maxSocketPath)
	}
	ln, err := new(net.ListenConfig).Listen(ctx, "unix", path)
	if err != nil {
		return nil, failed("if no other writ listens there, remove "+path, "listen: %w", err)
	}
	return ln, nil
}

// announce prints how to connect.
func (a *app) announce(source *tokens, addr net.Addr) error {
	grant, tok := source.about()
	c := connection{
		User: tok.GetUser(), Database: tok.GetDatabase(), Grant: grant.GetId(),
		ExpiresAt: output.Time(grant.GetExpiresAt()),
	}
	switch at := addr.(type) {
	case *net.TCPAddr:
		c.Host, c.Port = at.IP.String(), at.Port
	case *net.UnixAddr:
		c.Host, c.Port = filepath.Dir(at.Name), socketPort
	default:
		return errors.New("listening on an address of an unknown kind")
	}
	c.URL = c.url()
	if a.json {
		return a.out.JSON(c)
	}
	a.note("%s until %s; Ctrl-C closes it", grant.GetId(), output.Moment(a.env.Now(), grant.GetExpiresAt()))
	return a.out.Printf("%s", c.URL)
}

// url is a connection string of libpq, to which every driver holds.
func (c connection) url() string {
	u := url.URL{Scheme: "postgresql", User: url.User(c.User), Path: "/" + c.Database}
	query := url.Values{"sslmode": {"disable"}}
	if filepath.IsAbs(c.Host) {
		query.Set("host", c.Host)
	} else {
		u.Host = net.JoinHostPort(c.Host, strconv.Itoa(c.Port))
	}
	u.RawQuery = query.Encode()
	return u.String()
}
