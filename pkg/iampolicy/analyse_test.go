package iampolicy

import "testing"

func TestAdministratorIsPrivileged(t *testing.T) {
	p, err := Parse([]byte(`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}`))
	if err != nil {
		t.Fatal(err)
	}
	c := Default()
	a, err := Analyse(Role{ARN: "arn:aws:iam::123456789012:role/admin", Inline: []Document{{Name: "all", Policy: p}}}, c)
	if err != nil || len(a.Privileges) != c.Len() {
		t.Fatalf("%d of %d, %v", len(a.Privileges), c.Len(), err)
	}
}
