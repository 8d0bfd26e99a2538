// Package faults kills and stops parts of a running Writ at random moments under load, and
// judges by the target and the record store what that did: `go test ./test/faults -rounds 100`.
package faults
