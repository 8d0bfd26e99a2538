package kubeapi

import "strings"

// SelectedFields returns JSON pointers (RFC 6901) to the fields by which the field selector chooses: which objects come back
// tells what is in them. Metadata is not among them.
func (r Request) SelectedFields() []string {
	terms, err := fieldTerms(r.FieldSelector)
	if err != nil {
		return []string{""} // Parse refuses it; here it may choose by anything
	}
	var pointers []string
	for _, t := range terms {
		field, _, _, err := fieldTerm(t)
		switch {
		case err != nil:
			return []string{""}
		case field != "" && !strings.HasPrefix(field, "metadata."):
			pointers = append(pointers, "/"+strings.ReplaceAll(strings.ReplaceAll(strings.ReplaceAll(field, "~", "~0"), "/", "~1"), ".", "/"))
		}
	}
	return pointers
}
