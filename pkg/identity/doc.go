// Package identity says who is at the other end: edge names in certificates,
// pins of the control plane's authority, TLS configurations for both planes,
// and sets of public signing keys. It is pure and shared by both planes.
package identity
