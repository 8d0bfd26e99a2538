// Package version says which build of Writ this is.
package version

// value is set by the linker.
var value = "dev"

// String returns the build's version, for example "v0.1.0-3-gabc1234".
func String() string { return value }
