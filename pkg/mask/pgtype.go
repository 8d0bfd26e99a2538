package mask

// PostgreSQL's object ids of types (src/include/catalog/pg_type.dat) that are more than "not text" here.
const (
	oidChar    = 18
	oidName    = 19
	oidInt8    = 20
	oidText    = 25
	oidJSON    = 114
	oidXML     = 142
	oidFloat8  = 701
	oidUnknown = 705
	oidBPChar  = 1042
	oidVarchar = 1043
	oidNumeric = 1700
	oidUUID    = 2950
	oidJSONB   = 3802

	oidFirstUser = 16384 // FirstNormalObjectId: types that are not PostgreSQL's own
)

// family is what a type is, as far as masks and detectors care. The zero family is text to nobody.
type family uint8

const (
	familyOther family = iota // only NULL hides it
	familyText
	familyPadded // char(n): blanks at the end mean nothing
	familyJSON
	familyJSONB
	familyUUID
	familyInt8
	familyNumeric
	familyFloat8
	familyTexts // arrays and the like: text inside a syntax
	familyUser  // extension types, enums, composites, and what is not known
)

func familyOf(oid uint32) family {
	switch oid {
	case oidText, oidVarchar, oidName, oidUnknown, oidXML, oidChar:
		return familyText
	case oidBPChar:
		return familyPadded
	case oidJSON:
		return familyJSON
	case oidJSONB:
		return familyJSONB
	case oidUUID:
		return familyUUID
	case oidInt8:
		return familyInt8
	case oidNumeric:
		return familyNumeric
	case oidFloat8:
		return familyFloat8
	case 199, 3807, 1009, 1015, 1014, 1003, 1002, 143, 2249, 2287, 3614, 2275, 1790, 4072, 1016, 1231:
		// arrays of json, jsonb, text, varchar, bpchar, name, char and xml; record and its array; tsvector, cstring,
		// refcursor, jsonpath; arrays of int8 and numeric
		return familyTexts
	}
	if oid >= oidFirstUser || oid == 0 {
		return familyUser
	}
	return familyOther
}
