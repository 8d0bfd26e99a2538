package tunnel

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	accessv1 "github.com/writhq/writ/proto/access/v1"
	edgev1 "github.com/writhq/writ/proto/edge/v1"
)

// KindAWS is the kind of an AWS account.
const KindAWS = "aws"

// AWS is one role in one AWS account.
type AWS struct {
	Account string // 12 digits
	RoleARN string
	// Privileges are the privileged IAM actions that the role's policies allow; nil is not known.
	Privileges []string
	Partition  string   // such as "aws"
	Regions    []string // that calls may go to; empty is all
	// Endpoint is where all calls go, "host:port"; empty is each service's own.
	Endpoint string
	// TLS is disabled for an endpoint on the edge's own machine alone.
	TLS           TargetTLS
	Classes       map[string][]string // data class to members "service:Operation:path"
	AllowLoopback bool
	Detectors     []string
	// ForeignBuckets are buckets of other accounts that calls may go to; "*" is any.
	ForeignBuckets []string
	// SearchedBuckets are those whose objects the detectors search; "*" is any.
	SearchedBuckets []string
}

func awsOf(w *accessv1.AwsTarget) (*AWS, error) {
	tls, err := tlsOf(w.GetTls())
	if err != nil {
		return nil, err
	}
	if tls.Mode == DisableTLS {
		return nil, fmt.Errorf("an account without tls: %w", errUnknown)
	}
	a := &AWS{
		Account: w.GetAccount(), RoleARN: w.GetRoleArn(), Partition: w.GetPartition(), Regions: w.GetRegions(), TLS: tls,
		AllowLoopback: w.GetAllowLoopback(), Detectors: w.GetDetectors(), ForeignBuckets: w.GetForeignBuckets(), SearchedBuckets: w.GetSearchedBuckets(), Classes: map[string][]string{},
	}
	if a.Account == "" || a.Partition == "" || a.RoleARN == "" {
		return nil, fmt.Errorf("an account without number, partition or role: %w", errUnknown)
	}
	if err := a.setEndpoint(w.GetEndpoint()); err != nil {
		return nil, err
	}
	for class, members := range w.GetClasses() {
		a.Classes[class] = members.GetFields()
	}
	return a, nil
}

// setEndpoint takes "https://host:port", and on the edge's own machine "http://127.0.0.1:port" too.
func (a *AWS) setEndpoint(text string) error {
	if text == "" {
		return nil
	}
	scheme, endpoint, _ := strings.Cut(text, "://")
	host, _, err := net.SplitHostPort(endpoint)
	if err != nil {
		return fmt.Errorf("endpoint %q: %w", text, errUnknown)
	}
	addr, err := netip.ParseAddr(host)
	own := err == nil && addr.Unmap().IsLoopback()
	switch {
	case scheme == "https":
	case scheme == "http" && own && a.AllowLoopback:
		a.TLS = TargetTLS{Mode: DisableTLS}
	default:
		return fmt.Errorf("endpoint %q: %w", text, errUnknown)
	}
	a.Endpoint = endpoint
	return nil
}

func awsKeysOf(w *edgev1.AwsKeys) *enforce.AWSKeys {
	if w == nil {
		return nil
	}
	return &enforce.AWSKeys{KeyID: w.GetAccessKeyId(), Secret: w.GetSecretAccessKey(), SessionToken: w.GetSessionToken()}
}
