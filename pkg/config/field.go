package config

import (
	"errors"
	"reflect"

	yaml "github.com/goccy/go-yaml"
)

// field is a structured setting of T.
type field struct {
	name   string
	target reflect.Value
}

// structured lists the fields of a struct with a file tag.
func structured(settings any) []field {
	v := reflect.ValueOf(settings).Elem()
	if v.Kind() != reflect.Struct {
		return nil
	}
	var fields []field
	for i := range v.NumField() {
		if name := v.Type().Field(i).Tag.Get("file"); name != "" {
			fields = append(fields, field{name: name, target: v.Field(i).Addr()})
		}
	}
	return fields
}

// decode fills the structured fields, as strictly as the rest.
func (s *source) decode(fields []field) error {
	var errs []error
	for _, f := range fields {
		e, ok := s.nodes[f.name]
		if !ok {
			continue
		}
		if err := yaml.NodeToValue(e.value, f.target.Interface(), yaml.Strict()); err != nil {
			errs = append(errs, s.file.syntax(err))
		}
	}
	return errors.Join(errs...)
}
