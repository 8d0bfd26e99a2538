package httpserve

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
)

// maxApplication bounds the name that a client gives itself, in bytes.
const maxApplication = 100

// Admission says who asks with an HTTP request, from where and with what.
func Admission(req *http.Request, token, protocol string) (enforce.Admission, error) {
	addr, err := netip.ParseAddrPort(req.RemoteAddr)
	if err != nil {
		return enforce.Admission{}, errors.New("client without an address")
	}
	agent, _, _ := strings.Cut(req.UserAgent(), " ")
	agent = strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return -1
		}
		return c
	}, agent)
	return enforce.Admission{
		Token: token, Protocol: protocol, ClientAddr: netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port()),
		Application: agent[:min(len(agent), maxApplication)],
	}, nil
}
