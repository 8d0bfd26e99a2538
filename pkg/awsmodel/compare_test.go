package awsmodel

import (
	"fmt"
	"slices"
)

// equal compares values without regard to the order of fields and to what is sensitive.
func equal(a, b Value) string { return differ("", a, b) }

func differ(path string, want, got Value) string {
	if want.Kind != got.Kind || want.Kind >= Text && want.Text != got.Text || len(want.Fields) != len(got.Fields) || len(want.Items) != len(got.Items) {
		return fmt.Sprintf("%s: %+v, want %+v", path, brief(got), brief(want))
	}
	for i := range want.Items {
		if d := differ(path+"[]", want.Items[i], got.Items[i]); d != "" {
			return d
		}
	}
	for _, f := range want.Fields {
		i := slices.IndexFunc(got.Fields, func(g Field) bool { return g.Name == f.Name })
		if i < 0 {
			return path + "." + f.Name + " is missing"
		}
		if d := differ(path+"."+f.Name, f.Value, got.Fields[i].Value); d != "" {
			return d
		}
	}
	return ""
}

func brief(v Value) string {
	var names []string
	for _, f := range v.Fields {
		names = append(names, f.Name)
	}
	return fmt.Sprintf("%d %q %v %d", v.Kind, v.Text, names, len(v.Items))
}
