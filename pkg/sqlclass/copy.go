package sqlclass

import (
	"strconv"

	pg "github.com/sqlc-dev/oliphant"
)

// CopyFacts describes a COPY: where the rows come from or go to, and how they are written.
type CopyFacts struct {
	File    bool // a file of the server
	Program bool // a program on the server
	Client  bool // STDIN or STDOUT: the rows pass through the connection

	Format     string // "text", "csv", "binary", or what the statement says
	Delimiter  string // one byte; the format's default when not given
	Null       string
	Quote      string // csv
	Escape     string // csv
	Header     bool   // a line of names comes first
	ForceQuote []string
	ForceAll   bool   // FORCE_QUOTE *
	Encoding   string // empty for the client's
	Freeze     bool
	Unknown    bool // an option this package does not know
}

func (a *analysis) copyStatement(c *pg.CopyStmt) {
	f := copyOptions(c)
	a.f.Kind = KindCopyTo
	if c.IsFrom {
		a.f.Kind = KindCopyFrom
	}
	if c.IsProgram {
		a.access(Access{Action: ActionCopyProgram, Object: "program"})
	} else if f.File {
		a.access(Access{Action: ActionCopyFile, Object: "file"})
	}
	kind := a.f.Kind
	switch {
	case c.Query != nil:
		a.copyQuery(c)
	case c.IsFrom:
		a.copyFrom(c)
	default:
		a.copyTable(c)
	}
	a.f.Kind, a.f.Copy = kind, f
	if !f.Client {
		a.f.ReturnsRows = false
	}
}

// copyQuery analyses COPY (query) TO.
func (a *analysis) copyQuery(c *pg.CopyStmt) {
	a.inner(c.Query)
	in := a.f.Inner
	a.f.Output, a.f.OutputKnown, a.f.ReturnsRows = in.Output, in.OutputKnown, in.ReturnsRows
	if c.Filename == "" && !c.IsProgram {
		return
	}
	for _, o := range in.Output {
		for _, src := range o.Sources {
			a.flow(Flow{From: src, Target: "file"})
		}
		if o.Opaque {
			a.flow(Flow{Target: "file", Opaque: true})
		}
	}
}

// copyTable analyses COPY table TO: its columns, generated ones left out unless named.
func (a *analysis) copyTable(c *pg.CopyStmt) {
	r := a.relationAccess(ActionSelect, c.Relation)
	if r == nil {
		a.f.ReturnsRows = true
		return
	}
	cols, open := a.relationColumns(r, false)
	it := &item{cols: cols, open: open, rest: value{opaque: true}}
	var out []column
	if len(c.Attlist) > 0 {
		for _, n := range c.Attlist {
			v, ok := it.find(str(n))
			if !ok {
				a.missing("column", str(n))
				v = value{opaque: true}
			}
			out = append(out, column{name: str(n), val: a.reads(v)})
		}
	} else {
		for i := range cols {
			if r.Columns[i].Generated == "" {
				out = append(out, column{name: cols[i].name, val: a.reads(cols[i].val)})
			}
		}
	}
	if c.WhereClause != nil {
		a.predicate(c.WhereClause, &scope{items: []*item{it}}, ClauseWhere)
	}
	if c.Filename != "" || c.IsProgram {
		a.flowAll(allOf(out), ColumnRef{}, "file")
	}
	a.setOutput(out)
}

func (a *analysis) copyFrom(c *pg.CopyStmt) {
	t := a.writeTarget(ActionInsert, c.Relation)
	names := strs(c.Attlist)
	if len(names) == 0 && t.rel != nil {
		for _, col := range t.rel.Columns {
			if col.Generated == "" {
				names = append(names, col.Name)
			}
		}
	}
	for _, name := range names {
		a.store(t, name, value{})
	}
	if c.WhereClause != nil {
		t.item.rows, t.item.bare = true, true
		a.predicate(c.WhereClause, &scope{items: []*item{t.item}}, ClauseWhere)
	}
}

func copyOptions(c *pg.CopyStmt) *CopyFacts {
	f := &CopyFacts{Format: "text", Program: c.IsProgram, File: c.Filename != "" && !c.IsProgram}
	f.Client = !f.File && !f.Program
	given := map[string]bool{}
	for _, n := range c.Options {
		d := n.GetDefElem()
		given[d.GetDefname()] = true
		f.option(d)
	}
	csv := f.Format == "csv"
	if !given["delimiter"] {
		f.Delimiter = "\t"
		if csv {
			f.Delimiter = ","
		}
	}
	if !given["null"] && !csv {
		f.Null = `\N`
	}
	if !given["quote"] && csv {
		f.Quote = `"`
	}
	if !given["escape"] && csv {
		f.Escape = f.Quote
	}
	return f
}

func (f *CopyFacts) option(d *pg.DefElem) {
	text := optionText(d.GetArg())
	switch d.GetDefname() {
	case "format":
		f.Format = lowerASCII(text)
	case "delimiter":
		f.Delimiter = text
	case "null":
		f.Null = text
	case "quote":
		f.Quote = text
	case "escape":
		f.Escape = text
	case "header":
		f.Header = lowerASCII(text) == "match" || optionTrue(d)
	case "force_quote":
		f.ForceAll = d.GetArg().GetAStar() != nil
		f.ForceQuote = strs(d.GetArg().GetList().GetItems())
	case "encoding":
		f.Encoding = text
	case "freeze":
		f.Freeze = optionTrue(d)
	case "force_not_null", "force_null", "on_error", "log_verbosity", "default", "reject_limit":
	default:
		f.Unknown = true
	}
}

// optionText returns a scalar option value as text.
func optionText(n *pg.Node) string {
	switch x := n.GetNode().(type) {
	case *pg.Node_String_:
		return x.String_.Sval
	case *pg.Node_Integer:
		return strconv.Itoa(int(x.Integer.Ival))
	case *pg.Node_Float:
		return x.Float.Fval
	case *pg.Node_Boolean:
		return strconv.FormatBool(x.Boolean.Boolval)
	case *pg.Node_TypeName:
		if names := x.TypeName.Names; len(names) > 0 {
			return str(names[len(names)-1])
		}
	}
	return ""
}
