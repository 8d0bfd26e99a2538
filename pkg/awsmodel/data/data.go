// Package data embeds the models of AWS services, which scripts/awsmodel writes.
package data

import _ "embed"

// Head is the deflated head of the model file, and Services the blocks that it tells of.
var (
	//go:embed head.bin
	Head []byte
	//go:embed services.bin
	Services []byte
	// Sources says what they were made from.
	//go:embed SOURCES.txt
	Sources string
)
