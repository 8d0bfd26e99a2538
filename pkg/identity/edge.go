package identity

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

const (
	// Domain ends every name that the authority keeps for Writ itself.
	Domain = "writ.internal"

	// ControlPlane is the name that every control plane certificate carries
	// and every edge expects, whatever address it dials.
	ControlPlane = "controlplane." + Domain

	trustDomain = "writ"
	edgePath    = "/edge/"
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
	return &url.URL{Scheme: "spiffe", Host: trustDomain, Path: edgePath + name}
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

// EdgeName returns the name of the edge at the other end of a connection whose
// certificate chain was verified, else ErrNotEdge.
func EdgeName(state tls.ConnectionState) (string, error) {
	cert, err := EdgeCertificate(state)
	if err != nil {
		return "", err
	}
	return ParseEdgeURI(cert.URIs[0])
}

// EdgeCertificate returns the verified certificate of the edge at the other
// end, which has exactly one edge identity and may be used by a client.
func EdgeCertificate(state tls.ConnectionState) (*x509.Certificate, error) {
	if !state.HandshakeComplete || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return nil, ErrNotEdge
	}
	cert := state.PeerCertificates[0]
	if len(cert.URIs) != 1 || !forClients(cert) {
		return nil, ErrNotEdge
	}
	if _, err := ParseEdgeURI(cert.URIs[0]); err != nil {
		return nil, err
	}
	return cert, nil
}

func forClients(cert *x509.Certificate) bool {
	for _, usage := range cert.ExtKeyUsage {
		if usage == x509.ExtKeyUsageClientAuth {
			return true
		}
	}
	return false
}
