// Package iampolicy says what an IAM role really allows, from its policy documents: which privileged actions, through
// which statements, and what AWS would answer to one request. It is pure. What it cannot tell counts as privileged.
package iampolicy
