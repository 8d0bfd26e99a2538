// Package imports holds the architecture's arrows: which package may import what, and why.
package imports

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/writhq/writ/"

// pkg is a package as `go list` tells of it. Paths of this module are without its name.
type pkg struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

// only says who may import something directly.
type only struct {
	imported []string // packages, or trees of them with /...
	by       []string // those who may
	within   string   // limits the rule to a tree; "" is everything
	reason   string
}

var onlies = []only{
	{[]string{"go.etcd.io/..."}, []string{"controlplane/internal/store"}, "", "one package knows how state is kept, so that another store is one package's work"},
	{[]string{"github.com/cedar-policy/..."}, []string{"pkg/policy"}, "", "one package knows the policy language, and its traps"},
	{[]string{"github.com/sqlc-dev/oliphant/..."}, []string{"pkg/sqlclass"}, "", "SQL is understood in one place; a second reading would differ"},
	{[]string{"github.com/jackc/pgx/..."}, []string{"edgeagent/internal/postgres", "edgeagent/internal/upstream", "pkg/cli/clitest", "test/..."}, "", "drivers hide the protocol; the proxy speaks it through pkg/wire/pgwire, and the edge's own connections go through its dialer"},
	{[]string{"github.com/aws/...", "github.com/aws/smithy-go/..."}, []string{"controlplane", "controlplane/internal/auditlog", "controlplane/internal/credentials", "controlplane/internal/roles", "pkg/cli", "test/bench"}, "", "the edge holds no AWS identity, and stays small; the command line signs in with one; roles are read from IAM itself; the bench's peer signs with AWS's own signer"},
	{[]string{"google.golang.org/grpc/..."}, []string{"controlplane/internal/tunnel", "edgeagent/internal/tunnel", "controlplane/internal/store", "proto/..."}, "", "gRPC stops at the tunnel's two ends; the store reads etcd's status codes"},
	{[]string{"connectrpc.com/..."}, []string{"controlplane/internal/api", "controlplane/internal/guard", "pkg/cli", "pkg/cli/clitest", "pkg/cli/internal/client", "proto/..."}, "", "the access API is served and called in one place each"},
	{[]string{"proto/edge/v1"}, []string{"controlplane/internal/tunnel", "edgeagent/internal/tunnel"}, "", "messages stop at the tunnel; inside, the domain's own types are used"},
	{[]string{"proto/access/v1", "proto/access/v1/accessv1connect"}, []string{
		"controlplane/internal/api", "controlplane/internal/convert", "controlplane/internal/guard", "controlplane/internal/tunnel", "edgeagent/internal/tunnel", "pkg/cli/...", "proto/...",
	}, "", "messages are converted at the border; the tunnel carries resources and held commands in the same form"},
	{[]string{"google.golang.org/protobuf/..."}, []string{
		"controlplane/internal/api", "controlplane/internal/convert", "controlplane/internal/guard", "controlplane/internal/tunnel", "edgeagent/internal/tunnel", "pkg/cli/...", "proto/...",
		"pkg/audit", "pkg/kubeapi/protobody", "pkg/sqlclass", "scripts/protoc-gen-openapi",
	}, "", "protobuf stops at the border; pkg/audit writes the wire format, pkg/kubeapi/protobody reads it, pkg/sqlclass walks the parser's tree, and the generator reads descriptors"},
	{[]string{"aidanwoods.dev/go-paseto/..."}, []string{"pkg/token"}, "", "tokens are made and verified in one place"},
	{[]string{"github.com/coreos/go-oidc/...", "github.com/go-jose/..."}, []string{"controlplane/internal/login", "pkg/oidctest"}, "", "identity tokens are verified in one place"},
	{[]string{"github.com/spiffe/..."}, []string{"controlplane/internal/login/svid"}, "", "JWT-SVIDs are verified in one place"},
	{[]string{"github.com/tink-crypto/..."}, []string{"controlplane/internal/seal"}, "", "what is at rest is sealed in one place"},
	{[]string{"github.com/alecthomas/kong"}, []string{"pkg/config", "pkg/cli"}, "", "flags are parsed at the edge of the program"},
	{[]string{"github.com/hashicorp/go-hclog"}, []string{}, "pkg/...", "pkg is pure: it returns errors and logs nothing"},
	{[]string{"net", "net/http", "crypto/tls"}, []string{"pkg/cli/...", "pkg/oidctest", "pkg/identity", "pkg/kubeapi", "pkg/sigv4"}, "pkg/...", "pkg is pure: bytes in, values out. The command line and the test issuer are programs; pkg/identity reads crypto/tls for the names of what a peer proved; pkg/kubeapi and pkg/sigv4 read http.Header"},
	{[]string{"sigs.k8s.io/yaml", "go.yaml.in/yaml/..."}, []string{"pkg/kubeapi"}, "", "bodies are read as the API server reads them, in one place; settings are read by another library, with line numbers"},
	{[]string{"os"}, []string{"pkg/cli/...", "pkg/config"}, "pkg/...", "pkg is pure: only the loader of settings and the command line touch files"},
	{[]string{"os/exec"}, []string{"pkg/cli", "scripts/...", "test/..."}, "", "no daemon starts a program; the command line starts psql, and what calls AWS"},
	{[]string{"net/http/pprof", "expvar", "plugin", "unsafe", "C"}, []string{"proto/..."}, "", "nothing is exposed or linked by accident; generated messages use unsafe"},
	{[]string{"math/rand", "math/rand/v2"}, []string{"edgeagent/internal/tunnel", "controlplane/internal/store", "scripts/...", "test/..."}, "", "randomness is cryptographic; only backoff may use another"},
	{[]string{"controlplane/internal/guard"}, []string{"controlplane", "controlplane/internal/api"}, "", "every call of a person goes through one guard, and nothing else does"},
	{[]string{"edgeagent/internal/upstream"}, []string{"edgeagent", "edgeagent/internal/postgres", "edgeagent/internal/kubernetes", "edgeagent/internal/aws"}, "", "targets are dialled by the protocols and nobody else"},
	{[]string{"pkg/oidctest", "pkg/cli/clitest", "edgeagent/internal/enforce/enforcetest"}, []string{"scripts/...", "test/..."}, "", "fakes are for tests and the demo"},
	{[]string{"test/...", "scripts/..."}, []string{"test/...", "scripts/..."}, "", "tests stand on the product, never the reverse"},
	{[]string{"testing"}, []string{"pkg/cli/clitest", "edgeagent/internal/enforce/enforcetest", "test/..."}, "", "tests stay out of the binaries"},
}

// never says what a package must not reach, over however many steps.
type never struct {
	from   string
	reach  []string
	reason string
}

var nevers = []never{
	{"edgeagent/...", []string{"controlplane/..."}, "the edge is its own program and knows nothing of the control plane's insides"},
	{"controlplane/...", []string{"edgeagent/..."}, "nor the reverse"},
	{"pkg/...", []string{"controlplane/...", "edgeagent/..."}, "pkg is what both planes stand on"},
	{"edgeagent/...", []string{"go.etcd.io/...", "github.com/aws/...", "connectrpc.com/..."}, "the edge stays one small binary without state of others and without an AWS identity"},
	{"edgeagent/internal/kubernetes/stream", []string{"edgeagent/internal/enforce", "pkg/policy", "pkg/audit"}, "it carries what was decided; who looks at it is its caller's business"},
	{"edgeagent/internal/kubernetes/terminal", []string{"edgeagent/internal/enforce", "pkg/policy", "net", "net/http"}, "what may be recorded of a stream is worked out from bytes alone"},
	{"edgeagent/internal/enforce", []string{
		"google.golang.org/grpc/...", "proto/...", "go.etcd.io/...", "github.com/jackc/pgx/...", "pkg/wire/...", "pkg/sqlclass", "edgeagent/internal/postgres", "edgeagent/internal/tunnel",
	}, "the pipeline knows no protocol, no gRPC and no database: every protocol calls it in the same way"},
	{"edgeagent/internal/postgres", []string{"google.golang.org/grpc/...", "edgeagent/internal/tunnel", "edgeagent/internal/mysql", "edgeagent/internal/kubernetes", "edgeagent/internal/aws"}, "a protocol folder knows the pipeline and its own protocol, not its neighbours and not the control plane"},
	{"edgeagent/internal/aws", []string{"google.golang.org/grpc/...", "edgeagent/internal/tunnel", "edgeagent/internal/postgres", "edgeagent/internal/kubernetes"}, "nor the neighbours: its own protocol and the pipeline"},
	{"edgeagent/internal/httpserve", []string{"edgeagent/internal/signin", "edgeagent/internal/postgres", "edgeagent/internal/kubernetes", "edgeagent/internal/aws"}, "every server of HTTP clients ends and is bounded in the same way"},
	{"edgeagent/internal/signin", []string{"net/http", "edgeagent/internal/postgres", "edgeagent/internal/kubernetes", "edgeagent/internal/aws"}, "sessions are shared in the same way whatever the requests say"},
	{"edgeagent/internal/spool", []string{"google.golang.org/grpc/...", "edgeagent/internal/tunnel"}, "records are kept whether or not anything can be sent"},
	{"pkg/wire/pgwire", []string{"net", "context", "github.com/hashicorp/go-hclog", "pkg/policy", "pkg/sqlclass"}, "a codec is pure"},
	{"pkg/policy", []string{"net/http", "pkg/sqlclass", "pkg/wire/...", "proto/..."}, "a decision comes from facts and policies alone"},
	{"pkg/sqlclass", []string{"net/http", "pkg/policy", "pkg/wire/..."}, "understanding a statement does not depend on who asks"},
	{"pkg/partiql", []string{"net", "net/http", "context", "github.com/hashicorp/go-hclog", "pkg/policy", "pkg/awsmodel"}, "understanding a statement does not depend on who asks"},
	{"pkg/mask", []string{"net/http", "pkg/policy", "pkg/sqlclass", "pkg/wire/..."}, "masking is of values, whatever brought them"},
	{"pkg/kubemask", []string{"net/http", "pkg/policy", "pkg/kubeapi", "pkg/wire/...", "edgeagent/..."}, "answers are masked as bytes, whoever asked and whatever decided"},
	{"pkg/sigv4", []string{"github.com/aws/...", "pkg/policy", "pkg/audit", "edgeagent/..."}, "who signed a request is worked out from its bytes, whatever it may then do; AWS's own signers are for tests"},
	{"pkg/awsmask", []string{"net/http", "os/exec", "github.com/aws/...", "pkg/policy", "pkg/wire/...", "edgeagent/..."}, "answers are masked as bytes, whoever asked and whatever decided"},
	{"pkg/iampolicy", []string{"net", "net/http", "context", "github.com/aws/...", "pkg/policy", "pkg/awsmodel"}, "what a role allows comes from its documents alone"},
	{"pkg/awsmodel/...", []string{"net/http", "os/exec", "github.com/aws/...", "pkg/policy", "pkg/wire/..."}, "what a request asks for does not depend on who asks, nor on a network"},
	{"pkg/auditexport", []string{"net", "net/http", "os/exec", "proto/..."}, "what is exported comes from records alone"},
	{"pkg/ocsf", []string{"net", "net/http", "os/exec", "proto/..."}, "nor do events depend on anything else"},
	{"pkg/audit", []string{"net/http", "google.golang.org/grpc/..."}, "records are read and verified without a network"},
}

func TestImports(t *testing.T) {
	all := list(t)
	for _, r := range onlies {
		t.Run(r.imported[0], func(t *testing.T) {
			for _, p := range all {
				if r.within != "" && !in(p.ImportPath, r.within) || inAny(p.ImportPath, r.by) {
					continue
				}
				for _, imported := range p.Imports {
					if inAny(imported, r.imported) {
						t.Errorf("%s imports %s: %s", p.ImportPath, imported, r.reason)
					}
				}
			}
		})
	}
	for _, r := range nevers {
		t.Run("from "+r.from, func(t *testing.T) {
			for _, p := range all {
				if !in(p.ImportPath, r.from) {
					continue
				}
				for _, dep := range p.Deps {
					if inAny(dep, r.reach) {
						t.Errorf("%s reaches %s: %s", p.ImportPath, dep, r.reason)
					}
				}
			}
		})
	}
}

// A rule about packages that are not there would hold nothing.
func TestRulesNameWhatIsThere(t *testing.T) {
	all := list(t)
	exists := func(pattern string) bool {
		return slices.ContainsFunc(all, func(p pkg) bool { return in(p.ImportPath, pattern) })
	}
	used := func(pattern string) bool {
		return slices.ContainsFunc(all, func(p pkg) bool {
			return slices.ContainsFunc(p.Deps, func(d string) bool { return in(d, pattern) })
		})
	}
	banned := []string{"net/http/pprof", "expvar", "plugin", "C", "math/rand", "math/rand/v2"}
	for _, r := range onlies {
		for _, i := range r.imported {
			if !slices.Contains(banned, i) && !used(i) && !exists(i) {
				t.Errorf("nothing imports %s", i)
			}
		}
		for _, b := range r.by {
			if !exists(b) {
				t.Errorf("there is no %s, which may import %s", b, r.imported[0])
			}
		}
	}
	for _, r := range nevers {
		if !exists(r.from) {
			t.Errorf("there is no %s", r.from)
		}
	}
}

// in reports whether a package is the pattern or, with /..., below it.
func in(path, pattern string) bool {
	tree, ok := strings.CutSuffix(pattern, "/...")
	return path == tree || ok && strings.HasPrefix(path, tree+"/")
}

func inAny(path string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return in(path, p) })
}

// list asks the go command for every package of the module.
func list(t *testing.T) []pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var all []pkg
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		for _, list := range [][]string{p.Imports, p.Deps} {
			for i := range list {
				list[i] = strings.TrimPrefix(list[i], module)
			}
		}
		all = append(all, p)
	}
}
