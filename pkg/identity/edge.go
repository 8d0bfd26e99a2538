package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// Domain ends every name that the authority keeps for Writ itself.
	Domain = "writ.internal"

	// ControlPlane is the name that every control plane certificate carries
	// and every edge expects, whatever address it dials.
	ControlPlane = "controlplane." + Domain

	// TrustDomain is the host of every identity URI.
	TrustDomain = "writ"

	edgePath = "/edge/"
)

// ErrNotEdge: the peer did not prove to be an edge.
var ErrNotEdge = errors.New("no verified edge certificate")

var edgeName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckEdgeName accepts what can be one DNS label: 1 to 63 lower-case letters,
// digits and inner dashes.
func CheckEdgeName(name string) error {
	if !edgeName.MatchString(name) {
		return fmt.Errorf("edge name %.80q: want 1 to 63 lower-case letters, digits and inner dashes", name)
	}
	return nil
}

// EdgeURI is the identity in an edge's client certificate:
// spiffe://writ/edge/<name> (the form of SPIFFE-ID, section 2).
func EdgeURI(name string) *url.URL {
	return &url.URL{Scheme: "spiffe", Host: TrustDomain, Path: edgePath + name}
}

// ParseEdgeURI returns the name in what EdgeURI makes, and accepts nothing
// that is merely equivalent to it.
func ParseEdgeURI(u *url.URL) (string, error) {
	name, ok := strings.CutPrefix(u.Path, edgePath)
	if !ok || CheckEdgeName(name) != nil || u.String() != EdgeURI(name).String() {
		return "", ErrNotEdge
	}
	return name, nil
}

// Edge is who a verified edge certificate says the peer is.
type Edge struct {
	Name      string
	Enrolment string // which enrolment of that name; an earlier one is void
	Serial    string // of the certificate, in hex
	Expires   time.Time
}

// EdgeName returns the name of the edge at the other end of a connection whose
// certificate chain was verified, else ErrNotEdge.
func EdgeName(state tls.ConnectionState) (string, error) {
	edge, err := PeerEdge(state)
	return edge.Name, err
}

// PeerEdge is EdgeName with all that the certificate says. Whether the edge is
// still enrolled and not locked is the caller's to check.
func PeerEdge(state tls.ConnectionState) (Edge, error) {
	if !state.HandshakeComplete || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return Edge{}, ErrNotEdge
	}
	return EdgeOf(state.PeerCertificates[0])
}

// EdgeOf reads a certificate that was verified: it has exactly one edge
// identity and is made for clients.
func EdgeOf(cert *x509.Certificate) (Edge, error) {
	if len(cert.URIs) != 1 || !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth) {
		return Edge{}, ErrNotEdge
	}
	name, err := ParseEdgeURI(cert.URIs[0])
	if err != nil {
		return Edge{}, err
	}
	return Edge{
		Name:      name,
		Enrolment: cert.Subject.SerialNumber,
		Serial:    cert.SerialNumber.Text(16),
		Expires:   cert.NotAfter,
	}, nil
}
