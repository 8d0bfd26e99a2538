package resources

import (
	"crypto/x509"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/writhq/writ/pkg/destination"
)

// Problem is one thing that is wrong with a resource.
type Problem struct {
	Resource string
	Field    string
	Value    string // what was given; never a secret
	What     string
	Fix      string
}

func (p Problem) String() string {
	return fmt.Sprintf("resource %q: %s: %q: %s; %s", p.Resource, p.Field, p.Value, p.What, p.Fix)
}

// Invalid is everything that is wrong with what Apply was given.
type Invalid struct{ Problems []Problem }

func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

func secretProblem(r Resource, what, fix string) []Problem {
	field := "postgres.credential.password"
	if k := r.Kubernetes; k != nil {
		field = k.Credential.secretField()
	}
	return []Problem{{Resource: r.Name, Field: field, What: what, Fix: fix}}
}

var (
	nameForm   = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	labelForm  = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?$`)
	classForm  = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$`)
	regionForm = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
	roleForm   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\x21-\x7e]{1,512}$`)
)

const (
	nameFix  = "use lower-case letters, digits and dashes, at most 63, beginning and ending with a letter or digit"
	maxItems = 1000
	maxText  = 1000
	maxPEM   = 128 << 10
	// maxIdentifier is NAMEDATALEN-1 of PostgreSQL.
	maxIdentifier = 63
	// maxTokenAge is how long an RDS authentication token is valid.
	maxTokenAge = 15 * time.Minute
)

func validName(name string) bool { return nameForm.MatchString(name) }

// check returns Invalid with everything that is wrong with the resources taken by themselves.
func check(all []Resource, now time.Time) error {
	var problems []Problem
	if len(all) == 0 || len(all) > MaxApply {
		problems = append(problems, Problem{Field: "resources", Value: strconv.Itoa(len(all)),
			What: "not a number of resources that can change together", Fix: fmt.Sprintf("give 1 to %d", MaxApply)})
	}
	seen := map[string]bool{}
	for _, r := range all {
		c := checker{name: r.Name, now: now}
		if seen[r.Name] {
			c.add("name", r.Name, "given twice", "give every resource once")
		}
		seen[r.Name] = true
		c.resource(r)
		problems = append(problems, c.problems...)
	}
	if len(problems) > 0 {
		return &Invalid{Problems: problems}
	}
	return nil
}

type checker struct {
	name     string
	now      time.Time
	problems []Problem
}

func (c *checker) add(field, value, what, fix string) {
	c.problems = append(c.problems, Problem{Resource: c.name, Field: field, Value: clip(value), What: what, Fix: fix})
}

func clip(s string) string {
	const most = 120
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "..."
}

func (c *checker) resource(r Resource) {
	if !validName(r.Name) {
		c.add("name", r.Name, "not a resource name", nameFix)
	}
	c.labels(r.Labels)
	c.edges(r.Edges)
	if len(r.Description) > maxText || !printable(r.Description) {
		c.add("description", r.Description, "too long or not plain text", fmt.Sprintf("use at most %d bytes of text", maxText))
	}
	c.target(r)
}

func (c *checker) target(r Resource) {
	switch targets(r) {
	case 0:
		c.add("postgres", "", "no target", "say what the resource is: a postgres, a kubernetes or an aws target")
		return
	case 1:
	default:
		c.add("kubernetes", "", "a second target", "describe one target in each resource")
		return
	}
	switch {
	case r.Postgres != nil:
		c.postgres(*r.Postgres)
	case r.Kubernetes != nil:
		c.kubernetes(*r.Kubernetes)
	default:
		c.aws(*r.AWS)
	}
}

func targets(r Resource) int {
	n := 0
	for _, there := range []bool{r.Postgres != nil, r.Kubernetes != nil, r.AWS != nil} {
		if there {
			n++
		}
	}
	return n
}

func (c *checker) labels(labels map[string]string) {
	if len(labels) > 64 {
		c.add("labels", strconv.Itoa(len(labels)), "too many labels", "use at most 64")
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if !labelForm.MatchString(k) {
			c.add("labels", k, "not a label name", "use letters, digits, and . _ / - between them, at most 63")
		}
		if v := labels[k]; len(v) > 256 || !printable(v) {
			c.add("labels."+k, v, "not a label value", "use at most 256 bytes of plain text")
		}
	}
}

func (c *checker) edges(edges []string) {
	if len(edges) == 0 || len(edges) > 100 {
		c.add("edges", strconv.Itoa(len(edges)), "not a number of edges", "name the edges that reach the target, 1 to 100")
	}
	for i, e := range edges {
		if !validName(e) {
			c.add("edges", e, "not an edge name", nameFix)
		}
		if slices.Contains(edges[:i], e) {
			c.add("edges", e, "given twice", "name every edge once")
		}
	}
}

func (c *checker) postgres(p Postgres) {
	c.endpoint("postgres", p.Endpoint, p.AllowLoopback, "5432")
	c.identifier("postgres.database", p.Database)
	c.tls("postgres", p.TLS)
	c.credential(p)
	c.classes("postgres", p.Classes, func(column string) (what, fix string) {
		if dottedParts(column) != 3 {
			return "not a column's full name", `write it as "schema.table.column"`
		}
		return "", ""
	})
	for _, f := range p.SafeFunctions {
		if dottedParts(f) != 2 {
			c.add("postgres.safe_functions", f, "not a function's full name", `write it as "schema.name"`)
		}
	}
	if len(p.SafeFunctions) > maxItems {
		c.add("postgres.safe_functions", strconv.Itoa(len(p.SafeFunctions)), "too many", fmt.Sprintf("use at most %d", maxItems))
	}
	c.detectors("postgres", p.Detectors)
}

func (c *checker) detectors(kind string, detectors []string) {
	for _, d := range detectors {
		if !classForm.MatchString(d) {
			c.add(kind+".detectors", d, "not a detector's name", "use names of detectors, or none alone")
		}
	}
	if slices.Contains(detectors, "none") && len(detectors) > 1 {
		c.add(kind+".detectors", strings.Join(detectors, ","), "none stands beside others", "use none alone")
	}
}

func (c *checker) endpoint(kind, endpoint string, allowLoopback bool, usualPort string) {
	c.hostPort(kind+".endpoint", endpoint, endpoint, allowLoopback, `write it as "host:`+usualPort+`"`)
}

// hostPort checks the host and port in value.
func (c *checker) hostPort(field, value, hostPort string, allowLoopback bool, fix string) {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil || host == "" || len(host) > 253 || strings.ContainsFunc(host, badHostRune) {
		c.add(field, value, "not a host and port", fix)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		c.add(field, value, "the port is not one", "use a number from 1 to 65535")
	}
	addr, err := netip.ParseAddr(host)
	isAddr := err == nil
	addr = addr.Unmap()
	switch {
	case isAddr && destination.Check(addr, true) != nil:
		c.add(field, value, "an address no target has", "use the target's own address")
	case (isAddr && addr.IsLoopback() || isLocalName(host)) && !allowLoopback:
		c.add(field, value, "the edge's own machine", "use another address, or set allow_loopback")
	}
}

func isLocalName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func badHostRune(r rune) bool {
	return r > unicode.MaxASCII || r <= ' ' || strings.ContainsRune(`/\@?#"'%`, r)
}

func (c *checker) identifier(field, value string) {
	if value == "" || len(value) > maxIdentifier || !printable(value) {
		c.add(field, value, "not a PostgreSQL name", fmt.Sprintf("use 1 to %d bytes of text", maxIdentifier))
	}
}

func (c *checker) tls(kind string, t TLS) {
	field := kind + ".tls"
	if t.Mode != VerifyFull && t.Mode != VerifyCA && t.Mode != Disable {
		c.add(field+".mode", string(t.Mode), "unknown", "use verify-full, verify-ca or disable")
	}
	if t.CAPEM != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(t.CAPEM)) {
		c.add(field+".ca_pem", t.CAPEM, "holds no certificate", "give PEM blocks of type CERTIFICATE")
	}
	if len(t.CAPEM) > maxPEM {
		c.add(field+".ca_pem", strconv.Itoa(len(t.CAPEM)), "too large", "use at most 128 KiB")
	}
	if len(t.ServerName) > 253 || strings.ContainsFunc(t.ServerName, badHostRune) {
		c.add(field+".server_name", t.ServerName, "not a host name", "use the name in the target's certificate")
	}
	if t.Mode == Disable && (t.CAPEM != "" || t.ServerName != "") {
		c.add(field+".mode", string(t.Mode), "off, but a CA or server name is given", "leave them out, or use verify-full")
	}
}

func (c *checker) credential(p Postgres) {
	const field = "postgres.credential"
	cred := p.Credential
	n := 0
	if cred.Static != nil {
		n++
		c.identifier(field+".static.user", cred.Static.User)
		c.password(field+".static.password", cred.Static.Password)
	}
	if cred.Dynamic != nil {
		n++
		c.dynamic(*cred.Dynamic)
	}
	if cred.RDSIAM != nil {
		n++
		c.rdsIAM(*cred.RDSIAM, p.TLS)
	}
	if n != 1 {
		c.add(field, strconv.Itoa(n)+" sources", "not exactly one", "choose static, dynamic or rds_iam")
	}
}

func (c *checker) password(field string, s Secret) {
	if len(s) > 1000 || strings.ContainsRune(string(s), 0) {
		c.add(field, "", "too long, or holds a zero byte", "use at most 1000 bytes")
	}
}

func (c *checker) dynamic(d Dynamic) {
	const field = "postgres.credential.dynamic"
	c.identifier(field+".admin_user", d.AdminUser)
	c.password(field+".admin_password", d.AdminPassword)
	if len(d.MemberOf) == 0 || len(d.MemberOf) > 64 {
		c.add(field+".member_of", strconv.Itoa(len(d.MemberOf)), "not a number of roles", "name the roles each session gets, 1 to 64")
	}
	for _, role := range d.MemberOf {
		c.identifier(field+".member_of", role)
		if role == d.AdminUser {
			c.add(field+".member_of", role, "would make every session the admin", "name roles with only the needed privileges")
		}
	}
	if d.ConnectionLimit < 0 || d.ConnectionLimit > 1000 {
		c.add(field+".connection_limit", strconv.Itoa(int(d.ConnectionLimit)), "out of range", "use 0 (which is 1) to 1000")
	}
}

func (c *checker) rdsIAM(r RDSIAM, tls TLS) {
	const field = "postgres.credential.rds_iam"
	c.identifier(field+".user", r.User)
	if !regionForm.MatchString(r.Region) {
		c.add(field+".region", r.Region, "not an AWS region", "use one such as eu-west-1")
	}
	if r.RoleARN != "" && !roleForm.MatchString(r.RoleARN) {
		c.add(field+".role_arn", r.RoleARN, "not the ARN of an IAM role", "use arn:aws:iam::123456789012:role/name")
	}
	if r.Refresh < 0 || r.Refresh > maxTokenAge {
		c.add(field+".refresh", r.Refresh.String(), "out of range", "use 0 to 15m")
	}
	if tls.Mode == Disable {
		c.add("postgres.tls.mode", string(tls.Mode), "an authentication token would travel in clear", "use verify-full")
	}
}

// classes checks what carries data classes; wrong says what is wrong with one place, or is empty.
func (c *checker) classes(kind string, classes map[string][]string, wrong func(string) (what, fix string)) {
	field, total := kind+".classes", 0
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		if !classForm.MatchString(class) {
			c.add(field, class, "not a data class", "use lower-case letters, digits, dashes and underscores")
		}
		for _, labelled := range classes[class] {
			total++
			if what, fix := wrong(labelled); what != "" {
				c.add(field+"."+class, labelled, what, fix)
			}
		}
	}
	if total > 10*maxItems {
		c.add(field, strconv.Itoa(total), "too many", fmt.Sprintf("use at most %d", 10*maxItems))
	}
}

// dottedParts counts the names in a dotted path, in which a name may be quoted as in SQL. It is 0 for anything else.
func dottedParts(path string) int {
	parts := 0
	for rest := path; ; {
		name, tail, ok := cutName(rest)
		if !ok || name == "" || len(name) > maxIdentifier || !printable(name) {
			return 0
		}
		parts++
		if tail == "" {
			return parts
		}
		if tail[0] != '.' {
			return 0
		}
		rest = tail[1:]
	}
}

func cutName(s string) (name, tail string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexAny(s, `."`)
		if end < 0 {
			end = len(s)
		}
		return s[:end], s[end:], true
	}
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] != '"':
		case i+1 < len(s) && s[i+1] == '"':
			i++
		default:
			return strings.ReplaceAll(s[1:i], `""`, `"`), s[i+1:], true
		}
	}
	return "", "", false
}

// printable reports whether s is text without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}
