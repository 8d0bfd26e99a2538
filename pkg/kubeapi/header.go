package kubeapi

import (
	"net/http"
	"strconv"
	"strings"
)

// CheckHeader refuses headers that could change who is acting, where a request goes or where it ends. Names are compared
// without regard to case, and with an underscore read as a hyphen, as some servers read it.
func CheckHeader(h http.Header) error {
	seen := map[string]bool{}
	for name, values := range h {
		plain := strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		part := "header " + strconv.Quote(clip(name))
		if !isHeaderName(name) {
			return refuse(ErrHeader, part, "no name of a header", "leave it out")
		}
		if why := forbidden(plain); why != "" {
			return refuse(ErrHeader, part, why, "leave it out")
		}
		if plain != strings.ToLower(name) && !harmlessUnderscore(plain) || seen[plain] {
			return refuse(ErrHeader, part, "another spelling of a header that counts", "use the usual spelling, once")
		}
		seen[plain] = true
		if err := checkValues(part, plain, values); err != nil {
			return err
		}
	}
	_, err := connectionUpgrades(h)
	return err
}

func isHeaderName(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		if !isLower(c) && !isDigit(s[i]) && s[i] != '-' && s[i] != '_' {
			return false
		}
	}
	return s != ""
}

// forbidden says why a header is never taken from a client.
func forbidden(name string) string {
	switch {
	case strings.HasPrefix(name, "impersonate"):
		return "the gateway says who is acting"
	case strings.HasPrefix(name, "x-remote-"):
		return "the API server would take it for an identity"
	case strings.HasPrefix(name, "x-forwarded"), name == "forwarded", name == "x-real-ip", name == "x-original-url",
		name == "x-rewrite-url", name == "x-original-host", name == "x-host":
		return "it claims another origin or target"
	case strings.HasPrefix(name, "x-http-method"), name == "x-method-override":
		return "it claims another method"
	case name == "te", name == "trailer", name == "http2-settings", strings.HasPrefix(name, "proxy-"):
		return "it is for one hop only"
	}
	return ""
}

// harmlessUnderscore reports names that mean nothing here even when an underscore is read as a hyphen.
func harmlessUnderscore(plain string) bool {
	_, counts := single[plain]
	_, forwarded := forward[http.CanonicalHeaderKey(plain)]
	return !counts && !forwarded
}

// single has the headers that may stand once only.
var single = map[string]bool{
	"authorization": true, "host": true, "content-type": true, "content-length": true, "content-encoding": true,
	"transfer-encoding": true, "upgrade": true, "connection": false, "expect": true, "cookie": false, "accept": false,
	"sec-websocket-key": true, "sec-websocket-version": true,
}

func checkValues(part, name string, values []string) error {
	if single[name] && len(values) > 1 {
		return refuse(ErrHeader, part, "given more than once", "send it once")
	}
	for _, v := range values {
		if strings.ContainsAny(v, "\r\n\x00") {
			return refuse(ErrHeader, part, "a line break in its value", "")
		}
		if err := checkValue(part, name, strings.ToLower(v)); err != nil {
			return err
		}
	}
	return nil
}

func checkValue(part, name, value string) error {
	switch name {
	case "transfer-encoding":
		if value != "chunked" {
			return refuse(ErrHeader, part, "not chunked", "send the body as it is")
		}
	case "content-encoding":
		if value != "identity" && value != "" {
			return refuse(ErrHeader, part, "the body is encoded", "send the body as it is")
		}
	case "sec-websocket-protocol":
		if strings.Contains(value, "bearer.authorization") {
			return refuse(ErrHeader, part, "it carries a token", "send the token as Authorization: Bearer")
		}
	}
	return nil
}

// forward has what is passed on to the API server. Connection and Upgrade are not among them: who forwards an upgrade
// writes them from [Request.Upgrade]. Nor is Accept-Encoding, since who reads the answer says how it may be encoded.
var forward = map[string]bool{
	"Accept": true, "Content-Type": true, "User-Agent": true, "If-None-Match": true, "If-Modified-Since": true,
	"Kubectl-Command": true, "Kubectl-Session": true, "X-Stream-Protocol-Version": true,
	"Sec-Websocket-Key": true, "Sec-Websocket-Version": true, "Sec-Websocket-Protocol": true,
	"Sec-Websocket-Extensions": true,
}

// ForwardHeader returns a copy of what is passed on to the API server of a header that [CheckHeader] has accepted.
// Authorization is not among it.
func ForwardHeader(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		if forward[name] {
			out[name] = append([]string(nil), values...)
		}
	}
	return out
}
