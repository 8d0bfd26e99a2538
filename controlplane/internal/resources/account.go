package resources

import (
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	numberForm = regexp.MustCompile(`^[0-9]{12}$`)
	// bucketForm is a general purpose bucket of S3, in the names of today and the older ones of us-east-1.
	bucketForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{2,254}$`)
	// memberForm is a service and an operation as the models of AWS name them, or all operations.
	memberForm = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,63}:(\*|[A-Z][A-Za-z0-9]{0,127})$`)
)

const (
	maxRegions = 64
	maxBuckets = 256
	roleFix    = "use arn:aws:iam::123456789012:role/name"
)

func (c *checker) aws(a AWS) {
	if !numberForm.MatchString(a.Account) {
		c.add("aws.account", a.Account, "not an account number", "use its 12 digits, in quotes")
	}
	c.accountRole(a)
	c.regions(a.Regions)
	c.accountEndpoint(a)
	c.accountTLS(a)
	c.accountCredential(a)
	c.classes("aws", a.Classes, wrongMember)
	c.detectors("aws", a.Detectors)
	c.buckets("aws.foreign_buckets", a.ForeignBuckets)
	c.buckets("aws.searched_buckets", a.SearchedBuckets)
}

func (c *checker) accountRole(a AWS) {
	const field = "aws.role_arn"
	partition, account := ownerOf(a.RoleARN)
	switch {
	case !roleForm.MatchString(a.RoleARN):
		c.add(field, a.RoleARN, "not the ARN of an IAM role", roleFix)
	case account != a.Account && numberForm.MatchString(a.Account):
		c.add(field, a.RoleARN, "a role of another account than "+a.Account, "name a role of the account itself")
	case a.Partition != "" && a.Partition != partition:
		c.add("aws.partition", a.Partition, "not that of role_arn", "use "+partition+", or leave it out")
	}
}

func (c *checker) regions(regions []string) {
	const field = "aws.regions"
	if len(regions) > maxRegions {
		c.add(field, strconv.Itoa(len(regions)), "too many", fmt.Sprintf("use at most %d, or none for all", maxRegions))
		return
	}
	for i, r := range regions {
		switch {
		case !regionForm.MatchString(r):
			c.add(field, r, "not an AWS region", "use one such as eu-west-1")
		case slices.Contains(regions[:i], r):
			c.add(field, r, "given twice", "name every region once")
		}
	}
}

// buckets takes names, and "*" alone.
func (c *checker) buckets(field string, buckets []string) {
	if len(buckets) > maxBuckets {
		c.add(field, strconv.Itoa(len(buckets)), "too many", fmt.Sprintf(`use at most %d, or "*" for any`, maxBuckets))
		return
	}
	for i, b := range buckets {
		switch {
		case b == "*" && len(buckets) > 1:
			c.add(field, b, "beside names", "leave the names out, or the star")
		case b != "*" && (!bucketForm.MatchString(b) || strings.Contains(b, "..")):
			c.add(field, b, "not a bucket's name", `name the bucket without "s3://"`)
		case slices.Contains(buckets[:i], b):
			c.add(field, b, "given twice", "name every bucket once")
		}
	}
}

// accountEndpoint lets nothing but the edge's own machine be reached without TLS.
func (c *checker) accountEndpoint(a AWS) {
	const field = "aws.endpoint"
	if a.Endpoint == "" {
		return
	}
	scheme, rest, ok := strings.Cut(a.Endpoint, "://")
	if !ok || scheme != "https" && scheme != "http" {
		c.add(field, a.Endpoint, "not a URL", `write it as "https://host:443", or leave it out for the endpoints of AWS`)
		return
	}
	if scheme == "http" && !isOwnAddr(rest) {
		c.add(field, a.Endpoint, "calls would travel in clear", `use https; only an address of the edge's own machine, such as "http://127.0.0.1:5000", may go without`)
		return
	}
	c.hostPort(field, a.Endpoint, rest, a.AllowLoopback, `write it as "https://host:443"`)
}

func isOwnAddr(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

// accountTLS keeps the certificates of AWS itself checked in full: any public CA's would do else.
func (c *checker) accountTLS(a AWS) {
	c.tls("aws", a.TLS)
	switch {
	case a.TLS.Mode == Disable:
		c.add("aws.tls.mode", string(a.TLS.Mode), "calls would travel in clear", "use verify-full")
	case strings.HasPrefix(a.Endpoint, "http://") && a.TLS != TLS{}:
		c.add("aws.tls", a.Endpoint, "the endpoint has no TLS", "leave tls out, or use an endpoint with https")
	case a.Endpoint == "" && a.TLS.ServerName != "":
		c.add("aws.tls.server_name", a.TLS.ServerName, "one name for the endpoints of all services", "leave it out, or give an endpoint")
	case a.TLS.Mode == VerifyCA && (a.Endpoint == "" || a.TLS.CAPEM == ""):
		c.add("aws.tls.mode", string(a.TLS.Mode), "a certificate of any name would do", "use verify-full, or give an endpoint and the CA that signs its certificate alone")
	}
}

func (c *checker) accountCredential(a AWS) {
	const field = "aws.credential.assume_role"
	source := a.Credential.AssumeRole
	if source == nil {
		c.add("aws.credential", "0 sources", "not exactly one", "choose assume_role")
		return
	}
	partition, _ := ownerOf(a.RoleARN)
	if hub := source.HubRoleARN; hub != "" {
		hubPartition, _ := ownerOf(hub)
		switch {
		case !roleForm.MatchString(hub):
			c.add(field+".hub_role_arn", hub, "not the ARN of an IAM role", roleFix)
		case hub == a.RoleARN:
			c.add(field+".hub_role_arn", hub, "the account's role itself", "name the role that assumes it, or leave it out")
		case hubPartition != partition && partition != "":
			c.add(field+".hub_role_arn", hub, "a role of another partition than role_arn", "assume roles of the partition "+clip(partition)+" with one of it")
		}
	}
	c.readerRole(field+".reader_role_arn", a)
	c.externalID(field+".external_id", source.ExternalID)
	switch {
	case source.Region != "" && !regionForm.MatchString(source.Region):
		c.add(field+".region", source.Region, "not an AWS region", "use one such as eu-west-1")
	case source.Region == "" && roleForm.MatchString(a.RoleARN) && firstRegions[partition] == "":
		c.add(field+".region", "", "none is known for the partition "+clip(partition), "name one of its regions")
	}
	c.sessionDuration(field+".session_duration", *source)
}

// readerRole must be in the account: a role's policies are read there and nowhere else.
func (c *checker) readerRole(field string, a AWS) {
	reader := a.Credential.AssumeRole.ReaderRoleARN
	if reader == "" {
		return
	}
	partition, account := ownerOf(a.RoleARN)
	readerPartition, readerAccount := ownerOf(reader)
	switch {
	case !roleForm.MatchString(reader):
		c.add(field, reader, "not the ARN of an IAM role", roleFix)
	case roleForm.MatchString(a.RoleARN) && (readerAccount != account || readerPartition != partition):
		c.add(field, reader, "a role of another account than role_arn", "name one of the account "+clip(account)+", or leave it out")
	}
}

func (c *checker) sessionDuration(field string, source AssumeRole) {
	d := source.SessionDuration
	switch {
	case d == 0:
	case d < MinSessionDuration || d > MaxSessionDuration:
		c.add(field, d.String(), "out of range", "use 15m to 12h, or 0 for 1h")
	case source.HubRoleARN != "" && d > MaxChainedDuration:
		c.add(field, d.String(), "more than AWS allows through a hub role", "use at most 1h; keys are renewed for as long as the grant lasts")
	}
}

func (c *checker) externalID(field, id string) {
	if id != "" && (len(id) > maxExternalID || !externalForm.MatchString(id)) {
		c.add(field, id, "not an external id", "use 2 to 1224 letters, digits and _+=,.@:/-")
	}
}
