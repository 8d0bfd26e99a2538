// Package requestinfo compares pkg/kubeapi with what the API server itself makes of requests, queries and patches. It is a
// module of its own, so that the product does not depend on the API server.
package requestinfo
