// Package pgoracle holds a differential test: the classification of package sqlclass against the parse
// trees of the server's own C parser. It is a module of its own, so that nothing else needs cgo.
package pgoracle
