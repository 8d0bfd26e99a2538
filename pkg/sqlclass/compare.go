package sqlclass

import (
	"math/big"
	"strings"

	pg "github.com/sqlc-dev/oliphant"
)

// foldCompare evaluates comparisons of literals, of a column with itself, and patterns that match all.
func (a *analysis) foldCompare(e *pg.A_Expr, s *scope) truth {
	if len(e.Name) == 0 {
		return truthUnknown
	}
	op := str(e.Name[len(e.Name)-1])
	switch e.Kind {
	case pg.A_Expr_Kind_AEXPR_OP:
		return foldOperator(op, e.Lexpr, e.Rexpr)
	case pg.A_Expr_Kind_AEXPR_NOT_DISTINCT:
		return foldOperator("=", e.Lexpr, e.Rexpr)
	case pg.A_Expr_Kind_AEXPR_DISTINCT:
		return foldOperator("<>", e.Lexpr, e.Rexpr)
	case pg.A_Expr_Kind_AEXPR_LIKE, pg.A_Expr_Kind_AEXPR_ILIKE:
		return foldLike(op, e.Rexpr)
	case pg.A_Expr_Kind_AEXPR_SIMILAR:
		return foldLike("~~", e.Rexpr)
	case pg.A_Expr_Kind_AEXPR_IN:
		return foldIn(op, e)
	case pg.A_Expr_Kind_AEXPR_OP_ANY:
		return foldArray(op, e)
	case pg.A_Expr_Kind_AEXPR_BETWEEN, pg.A_Expr_Kind_AEXPR_BETWEEN_SYM:
		return foldBetween(e)
	}
	return truthUnknown
}

func foldOperator(op string, l, r *pg.Node) truth {
	if sameColumn(l, r) {
		switch op {
		case "=", "<=", ">=", "~~", "~~*":
			return truthTrue // or null: no protection that counts
		case "<>", "!=", "<", ">":
			return truthFalse
		}
		return truthUnknown
	}
	x, y := literal(l), literal(r)
	if x == nil || y == nil {
		if op == "~~" || op == "~" || op == "~~*" || op == "~*" {
			return foldLike(op, r)
		}
		return truthUnknown
	}
	if x.Isnull || y.Isnull {
		return truthFalse
	}
	cmp, ok := compareConsts(x, y)
	if !ok {
		return truthUnknown
	}
	t := compareTruth(op, cmp)
	if t == truthFalse && !comparable(op, l, r) {
		return truthUnknown
	}
	return t
}

// comparable tells whether a comparison of literals that came out false is surely false in the server:
// '01'::int = '1'::int is not, nor is 'a' < 'B' under every collation.
func comparable(op string, l, r *pg.Node) bool {
	if l.GetTypeCast() != nil || r.GetTypeCast() != nil {
		return false
	}
	return op == "=" || l.GetAConst().GetSval() == nil
}

func compareTruth(op string, cmp int) truth {
	yes := false
	switch op {
	case "=":
		yes = cmp == 0
	case "<>", "!=":
		yes = cmp != 0
	case "<":
		yes = cmp < 0
	case "<=":
		yes = cmp <= 0
	case ">":
		yes = cmp > 0
	case ">=":
		yes = cmp >= 0
	default:
		return truthUnknown
	}
	if yes {
		return truthTrue
	}
	return truthFalse
}

// literal returns the literal under casts, nil for anything else.
func literal(n *pg.Node) *pg.A_Const {
	for n.GetTypeCast() != nil {
		n = n.GetTypeCast().Arg
	}
	return n.GetAConst()
}

// compareConsts compares two literals as numbers or as strings.
func compareConsts(x, y *pg.A_Const) (int, bool) {
	if x.Isnull || y.Isnull {
		return 0, x.Isnull && y.Isnull
	}
	if a, ok := number(x); ok {
		if b, ok := number(y); ok {
			return a.Cmp(b), true
		}
		return 0, false
	}
	if a, ok := x.Val.(*pg.A_Const_Boolval); ok {
		b, ok := y.Val.(*pg.A_Const_Boolval)
		if !ok {
			return 0, false
		}
		switch {
		case a.Boolval.GetBoolval() == b.Boolval.GetBoolval():
			return 0, true
		case b.Boolval.GetBoolval():
			return -1, true
		}
		return 1, true
	}
	a, aok := x.Val.(*pg.A_Const_Sval)
	b, bok := y.Val.(*pg.A_Const_Sval)
	if !aok || !bok {
		return 0, false
	}
	return strings.Compare(a.Sval.GetSval(), b.Sval.GetSval()), true
}

// number returns the value of a numeric literal. Literals with huge exponents are left alone.
func number(c *pg.A_Const) (*big.Rat, bool) {
	switch x := c.Val.(type) {
	case *pg.A_Const_Ival:
		return new(big.Rat).SetInt64(int64(x.Ival.GetIval())), true
	case *pg.A_Const_Fval:
		text := x.Fval.GetFval()
		if len(text) > 64 || strings.ContainsAny(text, "eExXoObB_") {
			return nil, false
		}
		return new(big.Rat).SetString(text)
	}
	return nil, false
}

// foldLike recognises patterns that everything matches.
func foldLike(op string, pattern *pg.Node) truth {
	c := literal(pattern)
	if c == nil || c.Isnull {
		return truthUnknown
	}
	v, ok := c.Val.(*pg.A_Const_Sval)
	if !ok {
		return truthUnknown
	}
	p := v.Sval.GetSval()
	all := p != "" && strings.Trim(p, "%") == ""
	if strings.HasPrefix(op, "~") && !strings.HasPrefix(op, "~~") {
		all = p == "" || p == ".*" || p == "^" || p == "$" || p == "^.*" || p == "^.*$" || p == ".*$"
	}
	if !all || strings.HasPrefix(op, "!") {
		return truthUnknown
	}
	return truthTrue
}

func foldIn(op string, e *pg.A_Expr) truth {
	items := e.Rexpr.GetList().GetItems()
	for _, item := range items {
		if sameColumn(e.Lexpr, item) && op == "=" {
			return truthTrue
		}
	}
	l := literal(e.Lexpr)
	if l == nil {
		return truthUnknown
	}
	found := false
	for _, item := range items {
		r := literal(item)
		if r == nil {
			return truthUnknown
		}
		if cmp, ok := compareConsts(l, r); ok && cmp == 0 {
			found = true
		}
	}
	if found == (op == "=") {
		return truthTrue
	}
	return truthUnknown
}

// foldArray evaluates literal = ANY (ARRAY[literals]).
func foldArray(op string, e *pg.A_Expr) truth {
	l := literal(e.Lexpr)
	for _, item := range e.Rexpr.GetAArrayExpr().GetElements() {
		if sameColumn(e.Lexpr, item) && op == "=" {
			return truthTrue
		}
		if r := literal(item); l != nil && r != nil {
			if cmp, ok := compareConsts(l, r); ok && compareTruth(op, cmp) == truthTrue {
				return truthTrue
			}
		}
	}
	return truthUnknown
}

func foldBetween(e *pg.A_Expr) truth {
	items := e.Rexpr.GetList().GetItems()
	if len(items) != 2 {
		return truthUnknown
	}
	low := foldOperator(">=", e.Lexpr, items[0])
	high := foldOperator("<=", e.Lexpr, items[1])
	switch {
	case low == truthTrue && high == truthTrue:
		return truthTrue
	case low == truthFalse || high == truthFalse:
		return truthFalse
	}
	return truthUnknown
}
