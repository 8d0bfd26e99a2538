package sqlclass

import (
	"iter"
	"maps"
)

// Relations yields every relation in no particular order. They must not be changed.
func (c *Catalog) Relations() iter.Seq[*Relation] { return maps.Values(c.byOID) }
