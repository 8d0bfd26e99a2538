package sqlclass

import (
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

// truth is what is known of a condition without running it.
type truth uint8

const (
	truthUnknown truth = iota
	truthTrue
	truthFalse // false or null: no row passes
)

func (t truth) not() truth {
	switch t {
	case truthTrue:
		return truthFalse
	case truthFalse:
		return truthTrue
	}
	return truthUnknown
}

// filters tells whether a condition restricts the rows of a write: it is there, it is not true for every
// row, and it looks at a column at all.
func (a *analysis) filters(where *pg.Node, t *item, s *scope) bool {
	if where == nil {
		return false
	}
	if where.GetCurrentOfExpr() != nil {
		return true
	}
	switch a.fold(where, s) {
	case truthTrue:
		return false
	case truthFalse:
		return true
	}
	return a.looksAtColumn(where, t, s)
}

// looksAtColumn tells whether a condition uses any column of the written row or of the tables beside it.
func (a *analysis) looksAtColumn(where *pg.Node, t *item, s *scope) bool {
	quiet := a.quiet
	a.quiet = true
	defer func() { a.quiet = quiet }()
	v := a.expr(where, s)
	if len(v.refs) > 0 || t.open {
		return true
	}
	return usesSystemColumn(where)
}

// usesSystemColumn finds ctid = '(0,1)' and the like, which have no source column.
func usesSystemColumn(n *pg.Node) bool {
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return systemColumns[str(x.ColumnRef.Fields[len(x.ColumnRef.Fields)-1])] != 0
	case *pg.Node_AExpr:
		return usesSystemColumn(x.AExpr.Lexpr) || usesSystemColumn(x.AExpr.Rexpr)
	case *pg.Node_BoolExpr:
		for _, arg := range x.BoolExpr.Args {
			if usesSystemColumn(arg) {
				return true
			}
		}
	case *pg.Node_TypeCast:
		return usesSystemColumn(x.TypeCast.Arg)
	}
	return false
}

// fold evaluates what can be evaluated of a condition.
func (a *analysis) fold(n *pg.Node, s *scope) truth {
	switch x := n.GetNode().(type) {
	case *pg.Node_AConst:
		return constTruth(x.AConst)
	case *pg.Node_TypeCast:
		return a.foldCast(x.TypeCast, s)
	case *pg.Node_BoolExpr:
		return a.foldBool(x.BoolExpr, s)
	case *pg.Node_AExpr:
		return a.foldCompare(x.AExpr, s)
	case *pg.Node_NullTest:
		return a.foldNull(x.NullTest, s)
	case *pg.Node_BooleanTest:
		return foldBooleanTest(x.BooleanTest, a.fold(x.BooleanTest.Arg, s))
	case *pg.Node_CoalesceExpr:
		for i, arg := range x.CoalesceExpr.Args {
			if t := a.fold(arg, s); t == truthTrue && i == 0 {
				return truthTrue
			}
		}
	}
	return truthUnknown
}

// foldCast evaluates literal::bool. Another cast on the way may change the value: '2'::int::bool is true.
func (a *analysis) foldCast(c *pg.TypeCast, s *scope) truth {
	arg := c.Arg
	for arg.GetTypeCast() != nil {
		arg = arg.GetTypeCast().Arg
	}
	lit := arg.GetAConst()
	if lit == nil {
		return a.fold(arg, s)
	}
	_, isBool := lit.Val.(*pg.A_Const_Boolval)
	names := c.TypeName.GetNames()
	toBool := len(names) > 0 && str(names[len(names)-1]) == "bool"
	if isBool || lit.Isnull || arg == c.Arg && toBool {
		return constTruth(lit)
	}
	return truthUnknown
}

func constTruth(c *pg.A_Const) truth {
	if c.Isnull {
		return truthFalse
	}
	switch x := c.Val.(type) {
	case *pg.A_Const_Boolval:
		if x.Boolval.GetBoolval() {
			return truthTrue
		}
		return truthFalse
	case *pg.A_Const_Sval:
		s := lowerASCII(strings.TrimSpace(x.Sval.GetSval()))
		for _, yes := range []string{"true", "yes", "on", "1"} {
			if s != "" && strings.HasPrefix(yes, s) && s != "o" {
				return truthTrue
			}
		}
		return truthFalse
	case *pg.A_Const_Ival: // 1::bool
		if x.Ival.GetIval() != 0 {
			return truthTrue
		}
		return truthFalse
	}
	return truthUnknown
}

// constTrue tells whether n is a literal true.
func constTrue(n *pg.Node) bool {
	for n.GetTypeCast() != nil {
		n = n.GetTypeCast().Arg
	}
	c := n.GetAConst()
	return c != nil && constTruth(c) == truthTrue
}

func (a *analysis) foldBool(b *pg.BoolExpr, s *scope) truth {
	if b.Boolop == pg.BoolExprType_NOT_EXPR {
		arg := b.Args[0]
		if c := arg.GetAConst(); c != nil && c.Isnull {
			return truthFalse // NOT NULL is null
		}
		return a.fold(arg, s).not()
	}
	decisive := truthFalse
	if b.Boolop == pg.BoolExprType_OR_EXPR {
		decisive = truthTrue
	}
	all := true
	for _, arg := range b.Args {
		t := a.fold(arg, s)
		if t == decisive {
			return decisive
		}
		all = all && t == decisive.not()
	}
	if b.Boolop == pg.BoolExprType_OR_EXPR && complementary(b.Args) {
		return truthTrue
	}
	if all {
		return decisive.not()
	}
	return truthUnknown
}

// complementary finds `x IS NULL OR x IS NOT NULL` and `c OR NOT c`.
func complementary(args []*pg.Node) bool {
	if len(args) > 64 {
		return false
	}
	for _, x := range args {
		for _, y := range args {
			if nx, ny := x.GetNullTest(), y.GetNullTest(); nx != nil && ny != nil &&
				nx.Nulltesttype != ny.Nulltesttype && sameColumn(nx.Arg, ny.Arg) {
				return true
			}
			if no := y.GetBoolExpr(); no != nil && no.Boolop == pg.BoolExprType_NOT_EXPR && sameExpr(x, no.Args[0]) {
				return true
			}
			if opposite(x, y) {
				return true
			}
		}
	}
	return false
}

// opposite finds a = 1 OR a <> 1.
func opposite(x, y *pg.Node) bool {
	e, f := x.GetAExpr(), y.GetAExpr()
	if e == nil || f == nil || len(e.Name) != 1 || len(f.Name) != 1 {
		return false
	}
	return operatorNegation[str(e.Name[0])] == str(f.Name[0]) && sameExpr(e.Lexpr, f.Lexpr) && sameExpr(e.Rexpr, f.Rexpr)
}

var operatorNegation = map[string]string{"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

func sameColumn(x, y *pg.Node) bool {
	c, d := x.GetColumnRef(), y.GetColumnRef()
	if c == nil || d == nil || len(c.Fields) != len(d.Fields) {
		return false
	}
	for i := range c.Fields {
		if str(c.Fields[i]) != str(d.Fields[i]) || c.Fields[i].GetString_() == nil {
			return false
		}
	}
	return true
}

// sameExpr tells whether two simple expressions are the same.
func sameExpr(x, y *pg.Node) bool {
	if x == nil || y == nil {
		return x == y
	}
	if sameColumn(x, y) {
		return true
	}
	if c, d := x.GetAConst(), y.GetAConst(); c != nil && d != nil {
		cmp, ok := compareConsts(c, d)
		return ok && cmp == 0
	}
	if e, f := x.GetAExpr(), y.GetAExpr(); e != nil && f != nil && len(e.Name) == 1 && len(f.Name) == 1 {
		return e.Kind == f.Kind && str(e.Name[0]) == str(f.Name[0]) && sameExpr(e.Lexpr, f.Lexpr) && sameExpr(e.Rexpr, f.Rexpr)
	}
	if e, f := x.GetTypeCast(), y.GetTypeCast(); e != nil && f != nil {
		return sameExpr(e.Arg, f.Arg)
	}
	return false
}

func (a *analysis) foldNull(t *pg.NullTest, s *scope) truth {
	null, known := truthUnknown, false
	arg := t.Arg
	for arg.GetTypeCast() != nil {
		arg = arg.GetTypeCast().Arg
	}
	switch {
	case arg.GetAConst() != nil && arg.GetAConst().Isnull:
		null, known = truthTrue, true
	case arg.GetAConst() != nil, a.notNull(arg, s):
		null, known = truthFalse, true
	}
	if !known {
		return truthUnknown
	}
	if t.Nulltesttype == pg.NullTestType_IS_NULL {
		return null
	}
	return null.not()
}

// notNull tells whether n is a column that cannot be null.
func (a *analysis) notNull(n *pg.Node, s *scope) bool {
	ref := n.GetColumnRef()
	if ref == nil || len(s.items) == 0 {
		return false
	}
	name := str(ref.Fields[len(ref.Fields)-1])
	for _, it := range s.items[:1] { // the written table is never the nullable side of a join
		if len(ref.Fields) > 1 && str(ref.Fields[0]) != it.name {
			continue
		}
		if c, ok := columnNamed(it.cols, name); ok {
			return c.notNull
		}
		return it.system && systemColumns[name] != 0
	}
	return false
}

func foldBooleanTest(t *pg.BooleanTest, arg truth) truth {
	if arg == truthUnknown {
		return truthUnknown
	}
	switch t.Booltesttype {
	case pg.BoolTestType_IS_TRUE:
		return arg
	case pg.BoolTestType_IS_NOT_FALSE:
		if arg == truthTrue {
			return truthTrue
		}
	case pg.BoolTestType_IS_NOT_TRUE:
		return arg.not()
	case pg.BoolTestType_IS_NOT_UNKNOWN:
		if arg == truthTrue {
			return truthTrue
		}
	}
	return truthUnknown
}
