package kubernetes

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/writhq/writ/edgeagent/internal/enforce"
)

// Prefix begins the user and the groups that the cluster knows a principal by, so that no principal or group can take the
// name of one of the cluster's own.
const Prefix = "writ:"

// everyone is the group that every principal is in.
const everyone = Prefix + "principals"

// The extra attributes, which the cluster's audit log shows.
const (
	extraSession = "writ.dev/session"
	extraGrant   = "writ.dev/grant"
)

// impersonation says who acts, as the API server reads it (k8s.io/client-go/transport, impersonatingRoundTripper).
func impersonation(s *enforce.Session, groups []string) http.Header {
	p := s.Acting()
	h := http.Header{}
	h["Impersonate-User"] = []string{Prefix + headerText(p.ID)}
	h["Impersonate-Group"] = []string{everyone}
	for _, g := range p.Groups {
		h["Impersonate-Group"] = append(h["Impersonate-Group"], Prefix+headerText(g))
	}
	h["Impersonate-Group"] = append(h["Impersonate-Group"], groups...)
	for name, value := range map[string]string{extraSession: s.ID(), extraGrant: s.Grant()} {
		h["Impersonate-Extra-"+url.PathEscape(name)] = []string{headerText(value)}
	}
	for _, by := range p.OnBehalfOf {
		key := "Impersonate-Extra-" + url.PathEscape("writ.dev/on-behalf-of")
		h[key] = append(h[key], headerText(by))
	}
	slices.Sort(h["Impersonate-Group"])
	h["Impersonate-Group"] = slices.Compact(h["Impersonate-Group"])
	return h
}

// headerText writes a name so that it stands in a header as it is: bytes outside of printable ASCII become %XX, and so does
// the percent sign.
func headerText(s string) string {
	plain := true
	for i := 0; i < len(s); i++ {
		plain = plain && s[i] > ' ' && s[i] < 0x7f && s[i] != '%'
	}
	if plain {
		return s
	}
	const hex = "0123456789ABCDEF"
	var out []byte
	for i := 0; i < len(s); i++ {
		if c := s[i]; c > ' ' && c < 0x7f && c != '%' {
			out = append(out, c)
		} else {
			out = append(out, '%', hex[c>>4], hex[c&15])
		}
	}
	return string(out)
}
