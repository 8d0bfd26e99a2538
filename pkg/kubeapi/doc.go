// Package kubeapi says what a request to a Kubernetes API server is, and what its body says. It reads paths, queries,
// headers and bodies only, and refuses what it does not understand: whatever it accepts, the API server's
// RequestInfoFactory (k8s.io/apiserver/pkg/endpoints/request) understands in the same way.
package kubeapi
