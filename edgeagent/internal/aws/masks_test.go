package aws

import (
	"slices"
	"testing"

	"github.com/writhq/writ/pkg/awsmodel"
)

// Classes that say nothing are refused, and with them the account.
func TestClassForms(t *testing.T) {
	for _, bad := range []string{"", "s", "s:O", "s:O:", "s:O:a..b", ":O:a", "s::a"} {
		if _, err := newMasks(&Resource{Classes: map[string][]string{"pii": {bad}}}); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	if _, err := newMasks(&Resource{Detectors: []string{"cards"}}); err == nil {
		t.Error("an unknown detector is taken")
	}
}

// A call has the classes of its operation, of all operations of its service, and of services that it cannot be told from.
func TestClassesOfCalls(t *testing.T) {
	m, err := newMasks(&Resource{Classes: map[string][]string{
		"pii":    {"rds:DescribeDBInstances:DBInstances[*].MasterUsername", "docdb:DescribeDBInstances:DBInstances[*].Endpoint", "rds:*:Marker", "rds:DescribeDBClusters:DBClusters"},
		"secret": {"rds:*:Marker"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range m.of(awsmodel.Call{Service: "rds", Operation: "DescribeDBInstances", Siblings: []string{"docdb"}, Secrets: []string{"S"}}) {
		got = append(got, f.path)
		if want := f.path == "Marker" || f.path == "DBInstances[*].Endpoint"; f.every != want {
			t.Errorf("%s has to be answered: %v", f.path, !f.every)
		}
		if f.path == "Marker" && !slices.Equal(f.classes, []string{"pii", "secret"}) {
			t.Errorf("%s has %q", f.path, f.classes)
		}
	}
	if want := []string{"S", "DBInstances[*].MasterUsername", "Marker", "DBInstances[*].Endpoint"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
