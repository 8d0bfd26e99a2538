package sqlclass

import (
	"slices"

	pg "github.com/sqlc-dev/oliphant"
	"google.golang.org/protobuf/proto"
)

// functionOptions are the options of definitions that name a function, which the server then calls for
// whoever uses what was defined (commands/operatorcmds.c, aggregatecmds.c, typecmds.c, tsearchcmds.c,
// foreigncmds.c).
var functionOptions = map[string]bool{
	"function": true, "procedure": true, "restrict": true, "join": true,
	"sfunc": true, "sfunc1": true, "finalfunc": true, "combinefunc": true, "serialfunc": true, "deserialfunc": true,
	"msfunc": true, "minvfunc": true, "mfinalfunc": true,
	"input": true, "output": true, "receive": true, "send": true, "typmod_in": true, "typmod_out": true, "analyze": true,
	"subscript": true, "canonical": true, "subtype_diff": true,
	"start": true, "gettoken": true, "end": true, "headline": true, "lextypes": true, "init": true, "lexize": true,
	"handler": true, "validator": true,
}

// opclassFunction is OPCLASS_ITEM_FUNCTION of nodes/parsenodes.h.
const opclassFunction = 2

// namedFunctions counts every function that a definition names as called: by the definition's user it will
// be. What such functions read is stored elsewhere, since a use of the definition does not tell of it.
func (a *analysis) namedFunctions(n *pg.Node) {
	switch x := n.GetNode().(type) {
	case *pg.Node_CreateCastStmt:
		a.castFunction(x.CreateCastStmt.Func.GetObjname())
	case *pg.Node_CreateTransformStmt:
		a.namesFunction(x.CreateTransformStmt.Fromsql.GetObjname())
		a.namesFunction(x.CreateTransformStmt.Tosql.GetObjname())
	case *pg.Node_CreateConversionStmt:
		a.namesFunction(x.CreateConversionStmt.FuncName)
	case *pg.Node_CreateAmStmt:
		a.namesFunction(x.CreateAmStmt.HandlerName)
	case *pg.Node_CreateEventTrigStmt:
		a.namesFunction(x.CreateEventTrigStmt.Funcname)
	case *pg.Node_CreatePlangStmt:
		a.namesFunction(x.CreatePlangStmt.Plhandler)
		a.namesFunction(x.CreatePlangStmt.Plinline)
		a.namesFunction(x.CreatePlangStmt.Plvalidator)
	}
	a.walk(n.ProtoReflect(), func(m proto.Message) bool {
		switch x := m.(type) {
		case *pg.DefElem:
			if functionOptions[x.Defname] {
				a.namesFunction(optionNames(x.Arg))
			}
		case *pg.CreateOpClassItem:
			if x.Itemtype == opclassFunction {
				a.namesFunction(x.Name.GetObjname())
			}
		}
		return true
	})
}

// optionNames returns the parts of the name that an option gives, which the grammar reads as a type.
func optionNames(arg *pg.Node) []*pg.Node {
	switch x := arg.GetNode().(type) {
	case *pg.Node_TypeName:
		return x.TypeName.Names
	case *pg.Node_List:
		return x.List.Items
	case *pg.Node_String_:
		return []*pg.Node{arg}
	}
	return nil
}

// anyNumber of arguments is for names that come without them.
const anyNumber = -1

func (a *analysis) namesFunction(parts []*pg.Node) {
	schema, name, ok := splitName(parts)
	if ok && name != "" {
		a.flowAll(a.call(schema, name, nil, anyNumber, false), ColumnRef{}, "definition")
	}
}

// castFunction counts a cast's function as called. One that can be replaced may read anything later on,
// and no use of the cast shows it.
func (a *analysis) castFunction(parts []*pg.Node) {
	a.namesFunction(parts)
	schema, name, _ := splitName(parts)
	for _, f := range a.candidates(schema, name, anyNumber) {
		if f.OID >= firstNormalOID && !f.Trusted && f.Language != "c" {
			a.flow(Flow{Target: "definition", Opaque: true})
		}
	}
}

// replacesCast tells whether a function of this name is called by casts.
func (a *analysis) replacesCast(schema, name string) bool {
	return slices.ContainsFunc(a.candidates(schema, name, anyNumber), func(f *Function) bool { return f.Casts })
}

// trustedLanguages cannot reach outside the database, whatever is written in them.
var trustedLanguages = map[string]bool{"sql": true, "plpgsql": true, "plperl": true, "pltcl": true, "plv8": true}

// foreignCode counts a function in a language that reaches outside the database as called when it is defined:
// of its text nothing is known.
func (a *analysis) foreignCode(schema, name, lang string) {
	if lang != "" && !trustedLanguages[lang] {
		a.function(FunctionRef{Schema: schema, Name: name, Language: lang, Dangerous: true, Opaque: true, Writes: true, Volatile: true})
	}
}
