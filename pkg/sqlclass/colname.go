package sqlclass

import pg "github.com/sqlc-dev/oliphant"

// resultName returns the name the server gives a result column without AS (FigureColname of
// parser/parse_target.c).
func resultName(n *pg.Node) string {
	if name, strength := figureName(n); strength > 0 {
		return name
	}
	return "?column?"
}

// figureName returns a name and how good it is: 0 none, 1 a type's name, 2 firm.
func figureName(n *pg.Node) (string, int) {
	switch x := n.GetNode().(type) {
	case *pg.Node_ColumnRef:
		return lastString(x.ColumnRef.Fields)
	case *pg.Node_AIndirection:
		if name, s := lastString(x.AIndirection.Indirection); s > 0 {
			return name, s
		}
		return figureName(x.AIndirection.Arg)
	case *pg.Node_FuncCall:
		return lastString(x.FuncCall.Funcname)
	case *pg.Node_AExpr:
		if x.AExpr.Kind == pg.A_Expr_Kind_AEXPR_NULLIF {
			return "nullif", 2
		}
	case *pg.Node_TypeCast:
		if name, s := figureName(x.TypeCast.Arg); s > 1 {
			return name, s
		}
		if names := x.TypeCast.TypeName.GetNames(); len(names) > 0 {
			return str(names[len(names)-1]), 1
		}
	case *pg.Node_CollateClause:
		return figureName(x.CollateClause.Arg)
	case *pg.Node_GroupingFunc:
		return "grouping", 2
	case *pg.Node_MergeSupportFunc:
		return "merge_action", 2
	case *pg.Node_SubLink:
		return subLinkName(x.SubLink)
	case *pg.Node_CaseExpr:
		if name, s := figureName(x.CaseExpr.Defresult); s > 1 {
			return name, s
		}
		return "case", 1
	case *pg.Node_AArrayExpr:
		return "array", 2
	case *pg.Node_RowExpr:
		return "row", 2
	case *pg.Node_CoalesceExpr:
		return "coalesce", 2
	case *pg.Node_MinMaxExpr:
		if x.MinMaxExpr.Op == pg.MinMaxOp_IS_LEAST {
			return "least", 2
		}
		return "greatest", 2
	case *pg.Node_SqlvalueFunction:
		return valueFunctionName(x.SqlvalueFunction.Op), 2
	case *pg.Node_XmlExpr:
		return xmlName(x.XmlExpr.Op)
	case *pg.Node_XmlSerialize:
		return "xmlserialize", 2
	}
	return figureJSONName(n)
}

func figureJSONName(n *pg.Node) (string, int) {
	switch x := n.GetNode().(type) {
	case *pg.Node_JsonParseExpr:
		return "json", 2
	case *pg.Node_JsonScalarExpr:
		return "json_scalar", 2
	case *pg.Node_JsonSerializeExpr:
		return "json_serialize", 2
	case *pg.Node_JsonObjectConstructor:
		return "json_object", 2
	case *pg.Node_JsonArrayConstructor, *pg.Node_JsonArrayQueryConstructor:
		return "json_array", 2
	case *pg.Node_JsonObjectAgg:
		return "json_objectagg", 2
	case *pg.Node_JsonArrayAgg:
		return "json_arrayagg", 2
	case *pg.Node_JsonFuncExpr:
		switch x.JsonFuncExpr.Op {
		case pg.JsonExprOp_JSON_EXISTS_OP:
			return "json_exists", 2
		case pg.JsonExprOp_JSON_QUERY_OP:
			return "json_query", 2
		case pg.JsonExprOp_JSON_VALUE_OP:
			return "json_value", 2
		}
	}
	return "", 0
}

func lastString(nodes []*pg.Node) (string, int) {
	for i := len(nodes) - 1; i >= 0; i-- {
		if s := nodes[i].GetString_(); s != nil {
			return s.Sval, 2
		}
	}
	return "", 0
}

func subLinkName(s *pg.SubLink) (string, int) {
	switch s.SubLinkType {
	case pg.SubLinkType_EXISTS_SUBLINK:
		return "exists", 2
	case pg.SubLinkType_ARRAY_SUBLINK:
		return "array", 2
	case pg.SubLinkType_EXPR_SUBLINK:
		sel := s.Subselect.GetSelectStmt()
		for sel.GetLarg() != nil {
			sel = sel.Larg
		}
		if len(sel.GetValuesLists()) > 0 {
			return "column1", 2
		}
		if len(sel.GetTargetList()) == 0 {
			return "", 0
		}
		first := sel.TargetList[0].GetResTarget()
		if first.GetName() != "" {
			return first.Name, 2
		}
		if name, s := figureName(first.GetVal()); s > 0 {
			return name, 2
		}
		return "?column?", 2
	}
	return "", 0
}

func xmlName(op pg.XmlExprOp) (string, int) {
	switch op {
	case pg.XmlExprOp_IS_XMLCONCAT:
		return "xmlconcat", 2
	case pg.XmlExprOp_IS_XMLELEMENT:
		return "xmlelement", 2
	case pg.XmlExprOp_IS_XMLFOREST:
		return "xmlforest", 2
	case pg.XmlExprOp_IS_XMLPARSE:
		return "xmlparse", 2
	case pg.XmlExprOp_IS_XMLPI:
		return "xmlpi", 2
	case pg.XmlExprOp_IS_XMLROOT:
		return "xmlroot", 2
	}
	return "", 0
}

func valueFunctionName(op pg.SQLValueFunctionOp) string {
	switch op {
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_DATE:
		return "current_date"
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIME_N:
		return "current_time"
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP, pg.SQLValueFunctionOp_SVFOP_CURRENT_TIMESTAMP_N:
		return "current_timestamp"
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIME, pg.SQLValueFunctionOp_SVFOP_LOCALTIME_N:
		return "localtime"
	case pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP, pg.SQLValueFunctionOp_SVFOP_LOCALTIMESTAMP_N:
		return "localtimestamp"
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_ROLE:
		return "current_role"
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_USER:
		return "current_user"
	case pg.SQLValueFunctionOp_SVFOP_USER:
		return "user"
	case pg.SQLValueFunctionOp_SVFOP_SESSION_USER:
		return "session_user"
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_CATALOG:
		return "current_catalog"
	case pg.SQLValueFunctionOp_SVFOP_CURRENT_SCHEMA:
		return "current_schema"
	}
	return "?column?"
}
