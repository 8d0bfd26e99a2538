package kubeapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// CheckHeader refuses headers that could change who is acting, where a request goes or where it ends. [Parse] calls it.
func CheckHeader(h http.Header) error {
	for name, values := range h {
		part := "header " + strconv.Quote(clip(name))
		if !isHeaderName(name) || http.CanonicalHeaderKey(name) != name {
			return refuse(ErrHeader, part, "a name that servers read in several ways", "use letters, digits and hyphens")
		}
		if why := forbidden(strings.ToLower(name)); why != "" {
			return refuse(ErrHeader, part, why, "leave it out")
		}
		if len(values) > 1 && slices.Contains(single, name) {
			return refuse(ErrHeader, part, "given more than once", "send it once")
		}
		for _, v := range values {
			if err := checkValue(part, name, v); err != nil {
				return err
			}
		}
	}
	_, err := connectionUpgrades(h)
	return err
}

// isHeaderName leaves out what RFC 9110 allows and some server changes, above all the underscore.
func isHeaderName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !isLower(c|0x20) && !isDigit(c) && c != '-' {
			return false
		}
	}
	return s != ""
}

// forbidden says why a header, in lower case, is never taken from a client.
func forbidden(name string) string {
	switch {
	case strings.HasPrefix(name, "impersonate"):
		return "the gateway says who is acting"
	case strings.HasPrefix(name, "x-remote"):
		return "servers take it for an identity"
	case strings.HasPrefix(name, "x-forwarded"), strings.HasPrefix(name, "x-original"), strings.HasPrefix(name, "x-rewrite"),
		name == "forwarded", name == "x-real-ip", name == "x-host":
		return "servers take it for another origin or target"
	case strings.HasPrefix(name, "x-http-method"), name == "x-method-override":
		return "servers take it for another method"
	case name == "te", name == "trailer", name == "http2-settings", strings.HasPrefix(name, "proxy-"):
		return "it is for one hop only"
	}
	return ""
}

// single are the headers of which two would leave open which one counts.
var single = []string{
	"Authorization", "Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Upgrade", "Expect",
	"Sec-Websocket-Key", "Sec-Websocket-Version",
}

func checkValue(part, name, value string) error {
	if strings.ContainsAny(value, "\r\n\x00") {
		return refuse(ErrHeader, part, "a line break in its value", "")
	}
	value = strings.ToLower(value)
	switch {
	case name == "Transfer-Encoding" && value != "chunked":
		return refuse(ErrHeader, part, "not chunked", "send the body as it is")
	case name == "Content-Encoding" && value != "identity":
		return refuse(ErrHeader, part, "the body is encoded", "send the body as it is")
	case name == "Sec-Websocket-Protocol" && strings.Contains(value, "bearer.authorization"):
		return refuse(ErrHeader, part, "it carries a token", "send the token as Authorization: Bearer")
	}
	return nil
}

// forward has what is passed on to the API server. Connection and Upgrade are not among them: who forwards an upgrade
// writes them from [Request.Upgrade]. Nor is Accept-Encoding: who reads the answer says how it may be encoded.
var forward = []string{
	"Accept", "Content-Type", "User-Agent", "If-None-Match", "If-Modified-Since", "Kubectl-Command", "Kubectl-Session",
	"X-Stream-Protocol-Version", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Protocol",
	"Sec-Websocket-Extensions",
}

// ForwardHeader returns a copy of what is passed on to the API server. Authorization is not.
func ForwardHeader(h http.Header) http.Header {
	out := http.Header{}
	for _, name := range forward {
		if values := h[name]; len(values) > 0 {
			out[name] = slices.Clone(values)
		}
	}
	return out
}
