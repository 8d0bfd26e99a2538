package stream

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Names of the stream protocols (k8s.io/apimachinery, util/remotecommand and util/portforward).
const (
	protocolV4      = "v4.channel.k8s.io"
	protocolV5      = "v5.channel.k8s.io"
	protocolForward = "portforward.k8s.io"
	tunnelled       = "SPDY/3.1+"
	protocolHeader  = "X-Stream-Protocol-Version"
	socketProtocols = "Sec-Websocket-Protocol"
)

// offer is how a client wants its connection upgraded.
type offer struct {
	socket    bool     // WebSocket, else SPDY
	key       string   // Sec-WebSocket-Key
	protocols []string // those that are known, in the client's order
}

// readOffer reads the upgrade that a request asks for, of which protocols are known for SPDY.
func readOffer(r *http.Request, spdy, socket []string) (offer, error) {
	if err := checkUpgrade(r); err != nil {
		return offer{}, err
	}
	o := offer{socket: strings.EqualFold(r.Header.Get("Upgrade"), "websocket")}
	name, known := protocolHeader, spdy
	if o.socket {
		name, known = socketProtocols, socket
		if err := o.readKey(r); err != nil {
			return offer{}, err
		}
	}
	asked := list(r.Header.Values(name))
	for _, p := range asked {
		if strings.Contains(strings.ToLower(p), "bearer.authorization") {
			return offer{}, fmt.Errorf("%w: a token in %s: send it as Authorization: Bearer", ErrClient, name)
		}
		if slices.Contains(known, p) && !slices.Contains(o.protocols, p) {
			o.protocols = append(o.protocols, p)
		}
	}
	if len(o.protocols) == 0 {
		return offer{}, fmt.Errorf("%w: no stream protocol in common: %s must name one of %s", ErrClient, name, strings.Join(known, ", "))
	}
	return o, nil
}

// checkUpgrade refuses what is no plain request for an upgrade of an HTTP/1.1 connection.
func checkUpgrade(r *http.Request) error {
	upgrade := list(r.Header.Values("Upgrade"))
	switch {
	case r.ProtoMajor != 1 || r.ProtoMinor != 1:
		return fmt.Errorf("%w: only an HTTP/1.1 connection is upgraded", ErrClient)
	case !slices.ContainsFunc(list(r.Header.Values("Connection")), func(s string) bool { return strings.EqualFold(s, "upgrade") }):
		return fmt.Errorf("%w: the header Connection does not ask for an upgrade", ErrClient)
	case len(upgrade) != 1 || !strings.EqualFold(upgrade[0], "websocket") && !strings.EqualFold(upgrade[0], "SPDY/3.1"):
		return fmt.Errorf("%w: the header Upgrade must be SPDY/3.1 or websocket", ErrClient)
	case r.ContentLength != 0 || len(r.TransferEncoding) > 0:
		return fmt.Errorf("%w: a request for an upgrade has no body", ErrClient)
	}
	return nil
}

func (o *offer) readKey(r *http.Request) error {
	keys := r.Header.Values("Sec-Websocket-Key")
	if r.Method != http.MethodGet || r.Header.Get("Sec-Websocket-Version") != "13" || len(keys) != 1 {
		return fmt.Errorf("%w: a WebSocket begins with GET, Sec-WebSocket-Version: 13 and one key", ErrClient)
	}
	if raw, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(raw) != 16 {
		return fmt.Errorf("%w: the WebSocket key is malformed", ErrClient)
	}
	o.key = keys[0]
	return nil
}

// list splits headers that are lists.
func list(values []string) []string {
	var out []string
	for _, v := range values {
		for s := range strings.SplitSeq(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
	}
	return out
}

// acceptKey is the answer to a WebSocket key (RFC 6455, section 4.2.2).
func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// headers returns what asks for the upgrade, or with accepted, which grants it.
func (o offer) headers(protocols ...string) http.Header {
	if !o.socket {
		return http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}, protocolHeader: protocols}
	}
	return http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, socketProtocols: {strings.Join(protocols, ", ")}}
}
