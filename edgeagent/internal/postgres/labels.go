package postgres

import (
	"sync"

	"github.com/writhq/writ/pkg/sqlclass"
)

// labels gives each stored column its data classes. A label is written down by name, and
// sticks to the column that had the name when the catalog was first read: renaming the
// column, its table or its schema does not take it off.
type labels struct {
	byName map[string][]string // "schema.table.column"

	mu    sync.RWMutex
	stuck map[colKey][]string
}

func newLabels(byName map[string][]string) *labels {
	return &labels{byName: byName, stuck: map[colKey][]string{}}
}

// of returns a column's classes.
func (l *labels) of(c sqlclass.ColumnRef) []string {
	named := l.byName[c.Schema+"."+c.Table+"."+c.Column]
	l.mu.RLock()
	stuck := l.stuck[colKey{c.Relation, c.Num}]
	l.mu.RUnlock()
	switch {
	case len(stuck) == 0:
		return named
	case len(named) == 0:
		return stuck
	}
	return merge(append([]string(nil), stuck...), named)
}

// learn ties labels to the columns of a catalog, and returns the labels that name none.
func (l *labels) learn(cat *sqlclass.Catalog) (dangling []string) {
	found := map[string]bool{}
	l.mu.Lock()
	defer l.mu.Unlock()
	for r := range cat.Relations() {
		for _, c := range r.Columns {
			name := r.Schema + "." + r.Name + "." + c.Name
			classes := l.byName[name]
			if len(classes) == 0 {
				continue
			}
			found[name] = true
			key := colKey{r.OID, c.Num}
			l.stuck[key] = merge(l.stuck[key], classes)
		}
	}
	for name := range l.byName {
		if !found[name] {
			dangling = append(dangling, name)
		}
	}
	return dangling
}
