package sqlclass

import (
	"hash/fnv"
	"strings"
)

// Path is a search_path in the order in which the server resolves names.
type Path struct {
	schemas []string
	create  string // where unqualified new objects go
	key     string
	sum     uint64 // of key
}

// NewPath builds the effective path from the schemas of the search_path setting ("$user" already
// replaced, schemas that do not exist left out), in order. As in the server (catalog/namespace.c), pg_temp and then pg_catalog come first
// unless they are listed.
func NewPath(schemas ...string) Path {
	var hasTemp, hasCatalog bool
	for _, s := range schemas {
		hasTemp = hasTemp || s == tempSchema
		hasCatalog = hasCatalog || s == systemSchema
	}
	full := make([]string, 0, len(schemas)+2)
	if !hasTemp {
		full = append(full, tempSchema)
	}
	if !hasCatalog {
		full = append(full, systemSchema)
	}
	full = append(full, schemas...)
	create := ""
	if len(schemas) > 0 {
		create = schemas[0]
	}
	key := strings.Join(full, "\x00")
	sum := fnv.New64a()
	sum.Write([]byte(key))
	return Path{schemas: full, create: create, key: key, sum: sum.Sum64()}
}

const (
	tempSchema   = "pg_temp"
	systemSchema = "pg_catalog"
)

// Session is what a statement's meaning depends on besides its text and the catalog.
type Session struct {
	Path Path // the zero Path resolves nothing

	// Temp holds the session's temporary relations, under the OIDs the server gave them. TempKey is a
	// value, unique over sessions, that changes whenever Temp does; with an empty Temp it must be 0.
	Temp    []*Relation
	TempKey uint64

	// Prepared and Cursor return the facts of a named prepared statement or open cursor, nil when there
	// is none. Nil functions know none.
	Prepared func(name string) *Facts
	Cursor   func(name string) *Facts
}

func (s *Session) prepared(name string) *Facts {
	if s.Prepared == nil {
		return nil
	}
	return s.Prepared(name)
}

func (s *Session) cursor(name string) *Facts {
	if s.Cursor == nil {
		return nil
	}
	return s.Cursor(name)
}

func (s *Session) temp(name string) *Relation {
	for _, r := range s.Temp {
		if r.Name == name {
			return r
		}
	}
	return nil
}
