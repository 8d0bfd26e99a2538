package sqlclass

// Batch is the classification of one query string, which may hold several statements.
type Batch struct {
	Text       string   // the text as classified
	Statements []*Facts // in order; empty for a string of comments and white space
}

// Facts says what one statement does. Facts are shared through the cache: callers must not change them.
type Facts struct {
	Kind       Kind
	Tx         TxAction // for KindTransaction
	Text       string   // this statement's part of the batch
	Offset     int      // byte offset of Text in the batch
	Normalized string   // Text with every literal replaced by ? and white space collapsed; holds no value

	Accesses       []Access      // every verb on every object at any depth
	ColumnsRead    []ColumnRef   // table columns whose values are used anywhere, filters included
	ColumnsWritten []ColumnRef   // table columns assigned by insert, update, merge, copy from
	Filters        []ColumnUse   // table columns that steer which or how many rows come out
	Functions      []FunctionRef // functions and procedures called, user-defined operators included
	Flows          []Flow        // column values written to another place

	HasWhere   bool  // false when any update or delete at any depth has no WHERE that filters
	RowsLimit  int64 // constant LIMIT of the outermost query, -1 when there is none or it is not constant
	ParamCount int   // highest $n

	Output      []OutputColumn // result columns, in order
	ReturnsRows bool           // the statement answers with rows
	OutputKnown bool           // false: Output says nothing, treat every column as derived from everything

	Sets         []SetEffect // settings changed, by SET, RESET or set_config
	PreparedName string      // PREPARE, EXECUTE, DEALLOCATE; empty with DEALLOCATE ALL
	CursorName   string      // DECLARE, FETCH, MOVE, CLOSE; empty with CLOSE ALL
	Channel      string      // LISTEN, UNLISTEN, NOTIFY
	Inner        *Facts      // body of PREPARE, DECLARE, EXPLAIN, COPY (query); what EXECUTE or FETCH runs
	Copy         *CopyFacts  // for KindCopyTo and KindCopyFrom
	Creates      []NewTable  // tables made by CREATE TABLE, CREATE TABLE AS and SELECT INTO

	ExplainAnalyze bool // EXPLAIN that executes its statement
	DynamicSQL     bool // a routine body builds SQL from strings
	Opaque         bool // runs code that could not be read: another language, an unreadable body
	Write          bool // may change data, schema, or state outside this session
	Cursors        bool // a routine opens or closes cursors that may outlive it
	Secret         bool // carries a credential in its text: record RedactedText, never Text

	Unresolved []Name // names that neither the catalog nor the session knows
}

// RedactedText returns Text fit for a record: with every string literal replaced when the statement
// carries a credential, else Text itself.
func (f *Facts) RedactedText() string {
	if !f.Secret {
		return f.Text
	}
	return Redact(f.Text)
}

// ReadOnly tells whether the statement surely only reads: it writes nothing, changes no setting, runs
// nothing unreadable, and every name in it is known.
func (f *Facts) ReadOnly() bool {
	return f.Kind != KindUnknown && !f.Write && !f.Opaque && !f.DynamicSQL && len(f.Sets) == 0 && len(f.Unresolved) == 0
}

// Access is one verb on one object.
type Access struct {
	Action    Action
	Object    string // "table", "view", "function", "schema", "role", ...; see the DDL table
	Schema    string // empty for objects without a schema, and for names that did not resolve
	Name      string
	OID       uint32 // relation OID; 0 when unresolved or not a relation
	Via       string // "schema.name" of the outermost view or function through which it is reached, if any
	System    bool   // in pg_catalog, information_schema or pg_toast
	Sensitive bool   // a system relation that holds credentials, other sessions' SQL or sampled data
	Temp      bool   // a temporary relation of this session
}

// ColumnRef names one table column. The zero value names none.
type ColumnRef struct {
	Relation uint32 // relation OID
	Num      int16  // attribute number
	Schema   string
	Table    string
	Column   string
}

// Clause is where a filter stands.
type Clause string

// Clauses of ColumnUse.
const (
	ClauseWhere    Clause = "where"
	ClauseJoin     Clause = "join"
	ClauseHaving   Clause = "having"
	ClauseGroup    Clause = "group"
	ClauseOrder    Clause = "order"
	ClauseDistinct Clause = "distinct"
	ClauseCase     Clause = "case"
	ClauseLimit    Clause = "limit"
	ClauseWindow   Clause = "window"
	ClauseSetOp    Clause = "setop"
	ClauseConflict Clause = "conflict"
	ClauseFunction Clause = "function" // argument of a function that returns a set
)

// ColumnUse is a column that decides about rows.
type ColumnUse struct {
	Column   ColumnRef
	Clause   Clause
	Equality bool // the use is `column = constant` or `column IN (constants)` as a conjunct of the clause
}

// FunctionRef is a function called. When a name could mean several functions, all candidates are merged:
// a flag is set when it holds for any of them.
type FunctionRef struct {
	Schema      string
	Name        string
	OID         uint32 // 0 when unresolved or ambiguous
	Language    string
	Builtin     bool // in pg_catalog
	Dangerous   bool // reaches files, the network, other sessions or the server itself
	LargeObject bool // reads or writes large objects
	Sensitive   bool // shows other sessions' SQL, credentials or raw pages
	Opaque      bool // its body could not be read, so its value may derive from anything
	Writes      bool // may change data or state outside the session
	Volatile    bool // declared volatile, or unknown: each call may do something or give another value
}

// Flow is a value of a column that the statement stores elsewhere.
type Flow struct {
	From   ColumnRef // zero with Opaque
	To     ColumnRef // zero when the target is no existing table column
	Target string    // "schema.table.column", or the sink: "notify", "setting", "function x", "routine", "file"
	Opaque bool      // the value may derive from anything
}

// OutputColumn is one result column.
type OutputColumn struct {
	Name    string
	Sources []ColumnRef // every table column its values may derive from; none for constants
	Direct  bool        // its value is exactly Column's value (or null, through an outer join)
	Column  ColumnRef   // the base table column, when Direct
	Origin  ColumnRef   // the relation (perhaps a view) and attribute that RowDescription will report; zero for none
	CastOf  ColumnRef   // Origin of a cast that turns out to change nothing, as a cast to a column's own type does
	Opaque  bool        // its value may derive from anything
	TypeOID uint32      // type of Column when Direct; 0 otherwise
}

// SetScope is how long or for whom a setting changes.
type SetScope string

// Scopes of SetEffect.
const (
	ScopeSession  SetScope = "session"
	ScopeLocal    SetScope = "local"
	ScopeFunction SetScope = "function" // SET clause of a function
	ScopeRole     SetScope = "role"     // ALTER ROLE or ALTER DATABASE ... SET: sessions to come
	ScopeSystem   SetScope = "system"   // ALTER SYSTEM
)

// SetEffect is one changed setting.
type SetEffect struct {
	Name    string   // lower case; empty when Unknown or All
	Values  []string // empty for DEFAULT and for values that are no constants
	Scope   SetScope
	Reset   bool // back to the default
	All     bool // RESET ALL, DISCARD ALL
	Unknown bool // name or value is computed: anything may change
}

// NewTable is a table a statement creates.
type NewTable struct {
	Schema  string // empty when not qualified
	Name    string
	Temp    bool
	Columns []string // names, when known
}

// Name is a name that could not be resolved.
type Name struct {
	What string // "relation", "function", "column", "from" for a qualifier, "prepared", "cursor"
	Name string
}
