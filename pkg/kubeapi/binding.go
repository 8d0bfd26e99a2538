package kubeapi

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
)

// roleRef takes in the role that a binding names. Half of a reference names nothing that could be judged.
func (w *walk) roleRef(o map[string]any) {
	kind, _ := o["kind"].(string)
	name, _ := o["name"].(string)
	if kind == "" || name == "" {
		w.opaque = true
		return
	}
	w.add(w.roleRefs, kind+"/"+name)
}

// subject takes in one whom a binding names, in the way of RBAC or in that of flow control, which puts the name one
// level deeper.
func (w *walk) subject(o map[string]any) {
	kind, _ := o["kind"].(string)
	name, _ := o["name"].(string)
	space, _ := o["namespace"].(string)
	for _, deeper := range []string{"user", "group", "serviceAccount"} {
		if within, ok := o[deeper].(map[string]any); ok && name == "" {
			name, _ = within["name"].(string)
			space, _ = within["namespace"].(string)
		}
	}
	switch {
	case kind == "" || name == "":
		w.opaque = true
	case kind == "ServiceAccount":
		w.add(w.subjects, kind+"/"+space+"/"+name)
	default:
		w.add(w.subjects, kind+"/"+name)
	}
}

// certificate takes in who a certificate that is asked for would be.
func (w *walk) certificate(request string) {
	raw, err := base64.StdEncoding.DecodeString(request)
	if err != nil {
		w.opaque = true
		return
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		w.opaque = true
		return
	}
	csr, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		w.opaque = true
		return
	}
	w.add(w.subjects, "User/"+csr.Subject.CommonName)
	for _, group := range csr.Subject.Organization {
		w.add(w.subjects, "Group/"+group)
	}
}
