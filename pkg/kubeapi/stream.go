package kubeapi

import (
	"net/http"
	"strconv"
	"strings"
)

// readUpgrade reads Connection and Upgrade, which must agree.
func (r *Request) readUpgrade(h http.Header) error {
	wants, err := connectionUpgrades(h)
	if err != nil {
		return err
	}
	protocols := h["Upgrade"]
	switch {
	case !wants && len(protocols) == 0:
		return nil
	case !wants || len(protocols) != 1:
		return refuse(ErrUpgrade, "header Upgrade", "does not agree with header Connection", "send one of each")
	case strings.EqualFold(protocols[0], "SPDY/3.1"):
		r.Upgrade = SPDY
	case strings.EqualFold(protocols[0], "websocket"):
		r.Upgrade = WebSocket
	default:
		return refuse(ErrUpgrade, "header Upgrade", "unknown protocol", "use SPDY/3.1 or websocket")
	}
	if !r.Streams() {
		return refuse(ErrUpgrade, "header Upgrade", r.what()+" is not upgraded here", "leave the header out; watches stream without it")
	}
	if r.Upgrade == WebSocket && r.Method != http.MethodGet {
		return refuse(ErrUpgrade, "method", "a WebSocket begins with GET", "")
	}
	return nil
}

// connectionUpgrades reads the Connection header, and reports whether it asks for an upgrade.
func connectionUpgrades(h http.Header) (bool, error) {
	upgrade := false
	for _, value := range h["Connection"] {
		for token := range strings.SplitSeq(value, ",") {
			switch strings.ToLower(strings.Trim(token, " \t")) {
			case "upgrade":
				upgrade = true
			case "keep-alive", "close":
			default:
				return false, refuse(ErrHeader, "header Connection", "names something other than upgrade, keep-alive and close", "leave it out")
			}
		}
	}
	return upgrade, nil
}

// readStream reads what exec, attach and port-forward ask for.
func (r *Request) readStream() error {
	if !r.Streams() {
		return nil
	}
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodPost:
		return refuse(ErrMethod, "method", r.what()+" takes GET and POST", "")
	case r.Upgrade == NoUpgrade:
		return refuse(ErrUpgrade, "header Upgrade", "missing", r.what()+" needs SPDY/3.1 or websocket")
	case r.Subresource == "portforward":
		return r.readPorts()
	}
	r.Exec = &Exec{
		Command: r.Query["command"], Container: r.Query.Get("container"),
		Stdin: boolean(r.Query, "stdin"), Stdout: boolean(r.Query, "stdout"),
		Stderr: boolean(r.Query, "stderr"), TTY: boolean(r.Query, "tty"),
	}
	if r.Subresource == "exec" && len(r.Exec.Command) == 0 {
		return refuse(ErrQuery, "query parameter command", "missing", "exec needs a command")
	}
	return nil
}

func (r *Request) readPorts() error {
	for _, value := range r.Query["ports"] {
		for text := range strings.SplitSeq(value, ",") {
			port, err := strconv.ParseUint(text, 10, 16)
			if err != nil || port == 0 {
				return refuse(ErrQuery, "query parameter ports", "no port number", "give 1 to 65535, separated by commas")
			}
			r.Ports = append(r.Ports, uint16(port))
		}
	}
	return nil
}
