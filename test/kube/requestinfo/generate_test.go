package requestinfo

import (
	"math/rand/v2"
	"net/url"
	"strings"
)

// maker writes requests: most as clients do, some as nobody should.
type maker struct{ *rand.Rand }

func (m maker) one(of ...string) string { return of[m.IntN(len(of))] }

// mostly returns one of the good, and one of the bad from time to time.
func (m maker) mostly(good, bad []string) string {
	if m.chance(8) {
		return m.one(bad...)
	}
	return m.one(good...)
}

func (m maker) chance(percent int) bool { return m.IntN(100) < percent }

func (m maker) method() string {
	return m.mostly(
		[]string{"GET", "GET", "GET", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "DELETE"},
		[]string{"OPTIONS", "get", "CONNECT", ""},
	)
}

func (m maker) namespace() string {
	return m.mostly(
		[]string{"default", "kube-system", "a", "status", "finalize", "watch", "proxy", "namespaces", "0"},
		[]string{"A", "a_b", "a.b", "-", ""},
	)
}

func (m maker) resource() string {
	return m.mostly(
		[]string{"pods", "pods", "secrets", "services", "nodes", "namespaces", "deployments", "status", "finalize", "watch",
			"proxy", "configmaps", "clusterroles", "widgets", "serviceaccounts"},
		[]string{"Pods", "po_ds", "pods.v1", ""},
	)
}

func (m maker) name() string {
	return m.mostly(
		[]string{"web-0", "web-0", "system:admin", "Upper", "a.b.c", "a%20b", "a:b@c", "a%3Ab", "watch", "namespaces", "exec",
			"*", "%2A", "a+b", "a=b", "a,b", "~", "$"},
		[]string{"a%2Fb", "%2e%2e", "..", "a;b", "a%25b", "x%61", "é", "%C3%A9", "", "%20a"},
	)
}

func (m maker) subresource() string {
	return m.mostly(
		[]string{"status", "scale", "log", "exec", "attach", "portforward", "proxy", "eviction", "token", "finalize",
			"ephemeralcontainers", "watch"},
		[]string{"Exec", "x/y", "", "a_b"},
	)
}

func (m maker) path() string {
	if m.chance(8) {
		return m.one("/", "/version", "/healthz", "/healthz/ping", "/api", "/apis", "/api/v1", "/apis/apps", "/apis/apps/v1", "/openapi/v3",
			"/openapi/v3/apis/apps/v1", "/api/", "/apis//", "/livez/poststarthook/x", "/.well-known/openid-configuration", "/Api/v1/pods/x", "/apiz/v1/x", "")
	}
	var b strings.Builder
	b.WriteString(m.one("/api/v1", "/api/v1", "/apis/apps/v1", "/apis/rbac.authorization.k8s.io/v1", "/apis/x.io/v1beta1", "/apis/v1", "/api/V1"))
	if m.chance(12) {
		b.WriteString(m.one("/watch", "/watch", "/proxy"))
	}
	if m.chance(55) {
		b.WriteString("/namespaces/" + m.namespace())
	}
	if m.chance(92) {
		b.WriteString("/" + m.resource())
	}
	if m.chance(60) {
		b.WriteString("/" + m.name())
		if m.chance(45) {
			b.WriteString("/" + m.subresource())
			for m.chance(15) {
				b.WriteString("/" + m.name())
			}
		}
	}
	return b.String()
}

func (m maker) boolean() string {
	return m.one("true", "1", "0", "false", "False", "FALSE", "", "no", "t", "%74rue", "0 ", "00")
}

func (m maker) fieldSelector() string {
	terms := make([]string, m.IntN(3)+1)
	for i := range terms {
		terms[i] = m.mostly([]string{"metadata.name", "metadata.name", "metadata.namespace", "status.phase"}, []string{"", "Metadata.name", " metadata.name"}) +
			m.mostly([]string{"=", "==", "!="}, []string{"===", "!", "", "!=="}) +
			m.mostly([]string{"web-0", "other", "", `a\,b`, `a\=b`}, []string{"a b", "a/b", "..", "%", "é", `a\\b`, `a\b`, `a\`, " x", "a=b", ";"})
	}
	return strings.Join(terms, ",")
}

func (m maker) labelSelector() string {
	terms := make([]string, m.IntN(3)+1)
	for i := range terms {
		terms[i] = m.mostly(
			[]string{"app=web", "app", "!app", "app in (a,b)", "app notin (a)", "app==x", "app!=x", "a.io/b=c", "n>5", "n<5", "app in ()",
				"app in (a,,b)", "! app", "a =  b", "a=in", "app in(a)", "in in (in)"},
			[]string{"", "a in", "=x", "a=b=c", "a b", "a in (", "é=x", "n>x", "-a=b", "a=b-", "A.io/b=c", "a/b/c", "(a)", "a=()", "!!a", "a!", "n>=5"},
		)
	}
	return strings.Join(terms, ",")
}

func (m maker) query() string {
	var all []string
	for m.chance(55) && len(all) < 5 {
		var name, value string
		switch m.IntN(7) {
		case 0, 1:
			name, value = m.mostly([]string{"watch", "wat%63h"}, []string{"Watch", "watch%20"}), m.boolean()
		case 2, 3:
			name, value = "fieldSelector", url.QueryEscape(m.fieldSelector())
		case 4:
			name, value = "labelSelector", url.QueryEscape(m.labelSelector())
		case 5:
			name, value = m.one("limit", "timeoutSeconds"), m.mostly([]string{"5", "-1", "%2B5", "0"}, []string{"x", "", "99999999999999999999", "%205", "0x5"})
		default:
			name, value = m.other()
		}
		all = append(all, name+m.mostly([]string{"="}, []string{""})+value)
	}
	return strings.Join(all, m.mostly([]string{"&"}, []string{";", "&&"}))
}

func (m maker) other() (name, value string) {
	switch m.IntN(6) {
	case 0:
		return m.one("dryRun", "dryRun", "force", "propagationPolicy", "gracePeriodSeconds"), m.one("All", "all", "1", "Background", "")
	case 1:
		return m.one("command", "container", "stdin", "tty", "unknown", "access_token", "%zz", ""), m.one("sh", "true", "a;b", "%2")
	}
	return m.one("resourceVersion", "continue", "pretty", "timeout", "resourceVersionMatch", "allowWatchBookmarks", "sendInitialEvents"),
		m.one("0", "true", "", "Exact")
}

// mutate changes a character or two.
func (m maker) mutate(s string) string {
	for m.chance(50) && len(s) > 1 {
		i := 1 + m.IntN(len(s)-1)
		switch m.IntN(4) {
		case 0:
			s = s[:i] + s[i+1:]
		case 1:
			s = s[:i] + m.one("/", "//", "%", ".", "..", ";", "?", "#", "%2f", "%00", "\\", " ", "A", "a", "&", "=", ",", "%2e") + s[i:]
		case 2:
			s = s[:i] + s[i-1:]
		case 3:
			s = s[:i] + strings.ToUpper(s[i:i+1]) + s[i+1:]
		}
	}
	return s
}
