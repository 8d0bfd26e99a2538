// Package quorum tests what approvals promise while parts of the control plane die: a real etcd cluster of three members,
// two real replicas on it, a hundred people and a hundred attempts to use one approval at once.
package quorum
