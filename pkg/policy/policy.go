// Package policy decides. It compiles a bundle of Cedar policies against Writ's
// schema, specialises it for one principal on one resource, and answers allow,
// deny or hold for a command, and how a column is masked. It is pure: no network,
// no clock, no logger. It is the only package that knows Cedar.
package policy

import (
	"embed"
	"fmt"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/schema"
	"github.com/cedar-policy/cedar-go/x/exp/schema/resolved"
)

//go:embed schema/*.cedarschema
var schemaFiles embed.FS

// schemaOrder lists the schema's parts: the core, then one per protocol.
var schemaOrder = []string{"schema/core.cedarschema", "schema/sql.cedarschema", "schema/k8s.cedarschema", "schema/aws.cedarschema"}

// Schema returns the Cedar schema that every bundle is validated against, as text.
func Schema() []byte {
	var all []byte
	for _, name := range schemaOrder {
		part, err := schemaFiles.ReadFile(name)
		if err != nil {
			panic(fmt.Sprintf("policy: embedded schema: %v", err)) // the embed directive guarantees the file
		}
		all = append(all, part...)
	}
	return all
}

// loadSchema parses and resolves Schema.
func loadSchema() (*resolved.Schema, error) {
	var s schema.Schema
	s.SetFilename("writ.cedarschema")
	if err := s.UnmarshalCedar(Schema()); err != nil {
		return nil, fmt.Errorf("parse schema: %w", err)
	}
	r, err := s.Resolve()
	if err != nil {
		return nil, fmt.Errorf("resolve schema: %w", err)
	}
	return r, nil
}

// actionUID names an action as Cedar does.
func actionUID(a Action) types.EntityUID { return types.NewEntityUID("Action", types.String(a)) }
