package auditexport

import (
	"reflect"
	"strings"
)

// Type is what a column holds.
type Type string

// The types of columns.
const (
	Text    Type = "text"
	Integer Type = "integer" // of 64 bits
	Boolean Type = "boolean"
	Texts   Type = "list of text"
)

// Column is one column of a Row.
type Column struct {
	Name string
	Type Type
}

// Columns are the columns of a Row, in their order.
func Columns() []Column {
	t := reflect.TypeFor[Row]()
	all := make([]Column, 0, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		all = append(all, Column{Name: name, Type: typeOf(t.Field(i).Type.Kind())})
	}
	return all
}

func typeOf(k reflect.Kind) Type {
	switch k {
	case reflect.Int64, reflect.Uint64:
		return Integer
	case reflect.Bool:
		return Boolean
	case reflect.Slice:
		return Texts
	}
	return Text
}
