package sqlclass

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"weak"
)

// ErrCatalog is returned for rows that cannot come from one server's catalog.
var ErrCatalog = errors.New("inconsistent catalog rows")

// firstNormalOID is FirstNormalObjectId of access/transam.h: lower OIDs belong to the system.
const firstNormalOID = 16384

// Relation is a row of pg_class with its columns.
type Relation struct {
	OID          uint32
	Schema       string
	Name         string
	Kind         byte     // relkind: r, p, v, m, f, S, c, t, i, I
	RowType      uint32   // reltype
	Columns      []Column // any order
	ViewDef      string   // pg_get_viewdef(oid), read with an empty search_path; views and materialized views
	InheritsFrom []uint32 // pg_inherits.inhparent; partitions too
	Rules        []string // pg_get_ruledef(oid), read with an empty search_path, without _RETURN
}

// Column is a row of pg_attribute with attnum > 0.
type Column struct {
	Num       int16
	Name      string
	TypeOID   uint32
	NotNull   bool
	Dropped   bool
	Generated string // expression of a generated column; empty otherwise
}

// Argument modes, as in pg_proc.proargmodes.
const (
	ModeIn       byte = 'i'
	ModeOut      byte = 'o'
	ModeInOut    byte = 'b'
	ModeVariadic byte = 'v'
	ModeTable    byte = 't'
)

// Arg is one function argument.
type Arg struct {
	Name    string
	Mode    byte // one of the Mode constants; 0 means ModeIn
	TypeOID uint32
}

// Function is a row of pg_proc. A snapshot must hold the pg_catalog functions too.
type Function struct {
	OID         uint32
	Schema      string
	Name        string
	Kind        byte // prokind: f, p, a, w
	Language    string
	Args        []Arg // all arguments, output ones too; nil names and modes allowed
	Defaults    int   // pronargdefaults
	ReturnType  uint32
	ReturnsSet  bool
	Volatility  byte     // i, s, v
	SecurityDef bool     // SECURITY DEFINER
	Source      string   // prosrc
	SQLBody     string   // pg_get_function_sqlbody(oid), for bodies in the SQL-standard form
	SearchPath  []string // from proconfig; nil when the caller's applies
	Trusted     bool     // an operator vouches that it reads nothing but its arguments, and writes nothing
	Casts       bool     // a cast that was made in this database calls it, unseen by whoever uses that
}

// Operator is a row of pg_operator outside pg_catalog.
type Operator struct {
	Schema   string
	Name     string
	Function uint32 // oprcode
}

// Snapshot is the input of NewCatalog: plain rows of one server's catalog.
type Snapshot struct {
	Version   uint64 // for the caller's use; the cache tells catalogs apart by identity
	Database  string
	Relations []Relation
	Functions []Function
	Operators []Operator
}

// Catalog is an immutable view of a target's catalog. It is safe for concurrent use.
type Catalog struct {
	version   uint64
	self      weak.Pointer[Catalog] // identity in cache keys; keeps nothing alive
	database  string
	byOID     map[uint32]*Relation
	byName    map[string]map[string]*Relation
	byRowType map[uint32]*Relation
	children  map[uint32][]uint32
	functions map[string]map[string][]*Function
	funcByOID map[uint32]*Function
	operators map[string][]*Operator

	columns  sync.Map // relation OID → []column, the lineage of each column; a memo, a pure function of the rows
	expanded sync.Map // view OID → *expansion; a memo too
}

// NewCatalog indexes s. It refuses nameless rows and relations that share an OID or a name.
func NewCatalog(s Snapshot) (*Catalog, error) {
	c := &Catalog{
		version: s.Version, database: s.Database,
		byOID:     make(map[uint32]*Relation, len(s.Relations)),
		byName:    map[string]map[string]*Relation{},
		byRowType: map[uint32]*Relation{},
		children:  map[uint32][]uint32{},
		functions: map[string]map[string][]*Function{},
		funcByOID: make(map[uint32]*Function, len(s.Functions)),
		operators: map[string][]*Operator{},
	}
	c.self = weak.Make(c)
	for i := range s.Relations {
		if err := c.addRelation(s.Relations[i]); err != nil {
			return nil, err
		}
	}
	for i := range s.Functions {
		if err := c.addFunction(s.Functions[i]); err != nil {
			return nil, err
		}
	}
	for i := range s.Operators {
		o := s.Operators[i]
		c.operators[o.Name] = append(c.operators[o.Name], &o)
	}
	return c, nil
}

func (c *Catalog) addRelation(r Relation) error {
	if r.OID == 0 || r.Schema == "" || r.Name == "" {
		return fmt.Errorf("%w: relation %q without an OID, a schema or a name", ErrCatalog, r.Name)
	}
	if _, dup := c.byOID[r.OID]; dup {
		return fmt.Errorf("%w: relation OID %d occurs twice", ErrCatalog, r.OID)
	}
	r.Columns = liveColumns(r.Columns)
	names := c.byName[r.Schema]
	if names == nil {
		names = map[string]*Relation{}
		c.byName[r.Schema] = names
	}
	if _, dup := names[r.Name]; dup {
		return fmt.Errorf("%w: relation %s.%s occurs twice", ErrCatalog, r.Schema, r.Name)
	}
	names[r.Name] = &r
	c.byOID[r.OID] = &r
	if r.RowType != 0 {
		c.byRowType[r.RowType] = &r
	}
	for _, p := range r.InheritsFrom {
		c.children[p] = append(c.children[p], r.OID)
	}
	return nil
}

func (c *Catalog) addFunction(f Function) error {
	if f.Schema == "" || f.Name == "" {
		return fmt.Errorf("%w: function %q without a schema or a name", ErrCatalog, f.Name)
	}
	names := c.functions[f.Schema]
	if names == nil {
		names = map[string][]*Function{}
		c.functions[f.Schema] = names
	}
	names[f.Name] = append(names[f.Name], &f)
	if f.OID != 0 {
		c.funcByOID[f.OID] = &f
	}
	return nil
}

// Version returns the snapshot's version.
func (c *Catalog) Version() uint64 { return c.version }

// Relation returns the relation with this OID, or nil. The result must not be changed.
func (c *Catalog) Relation(oid uint32) *Relation { return c.byOID[oid] }

// Lookup returns the relation schema.name, or nil. The result must not be changed.
func (c *Catalog) Lookup(schema, name string) *Relation { return c.byName[schema][name] }

// ref names the column that id stands for.
func (c *Catalog) ref(id colID) ColumnRef {
	if r := c.byOID[id.relation()]; r != nil {
		return columnRef(r, id)
	}
	return ColumnRef{Relation: id.relation(), Num: id.num()}
}

func columnRef(r *Relation, id colID) ColumnRef {
	ref := ColumnRef{Relation: r.OID, Num: id.num(), Schema: r.Schema, Table: r.Name}
	for i := range r.Columns {
		if r.Columns[i].Num == id.num() {
			ref.Column = r.Columns[i].Name
			break
		}
	}
	return ref
}

// liveColumns returns the columns that are not dropped, in attribute order.
func liveColumns(cols []Column) []Column {
	live := make([]Column, 0, len(cols))
	for _, c := range cols {
		if !c.Dropped && c.Num > 0 {
			live = append(live, c)
		}
	}
	slices.SortFunc(live, func(a, b Column) int { return int(a.Num) - int(b.Num) })
	return live
}
