package upstream

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// Target is a database to sign in to.
type Target struct {
	// Address is "host:port", or "unix:" and the absolute path of a socket.
	Address string
	// Database and User are required.
	Database string
	User     string
	// Password may be empty where the server asks for none. [Dialer.Dial] and
	// [Dialer.Open] wipe it, whatever their outcome.
	Password Secret
	TLS      TLS
	// Application is sent as application_name; empty sends none.
	Application string
	// Params are further settings to start with. Names that are no settings (user,
	// database, replication, options, _pq_.*) are refused.
	Params map[string]string
	// MaxProtocol is the newest protocol version to ask for, "3.0" or "3.2".
	// Default "3.0", which every pooler understands; 3.2 brings longer cancel keys
	// and falls back by itself.
	MaxProtocol string
	// AllowLoopback permits addresses of this very machine, unix sockets included.
	AllowLoopback bool
}

const unixPrefix = "unix:"

// endpoint is a target's address, taken apart.
type endpoint struct {
	path string // of a unix socket, else empty
	host string // a name or an address
	port uint16
}

func parseEndpoint(address string) (endpoint, error) {
	if path, ok := strings.CutPrefix(address, unixPrefix); ok {
		if !strings.HasPrefix(path, "/") {
			return endpoint{}, fmt.Errorf("%w: socket path is not absolute", ErrInvalidTarget)
		}
		return endpoint{path: path}, nil
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" {
		return endpoint{}, fmt.Errorf("%w: address %q is not host:port", ErrInvalidTarget, address)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil || number == 0 {
		return endpoint{}, fmt.Errorf("%w: port %q", ErrInvalidTarget, port)
	}
	return endpoint{host: host, port: uint16(number)}, nil
}

// settings returns the parameters of the startup message.
func (t *Target) settings() (map[string]string, error) {
	if t.Database == "" || t.User == "" {
		return nil, fmt.Errorf("%w: database and user are required", ErrInvalidTarget)
	}
	settings := make(map[string]string, len(t.Params)+1)
	for name, value := range t.Params {
		switch {
		case name == "", strings.HasPrefix(name, "_pq_."),
			name == "user", name == "database", name == "replication", name == "options":
			return nil, fmt.Errorf("%w: parameter %q", ErrInvalidTarget, name)
		}
		settings[name] = value
	}
	if t.Application != "" {
		settings["application_name"] = t.Application
	}
	for _, text := range []string{t.Database, t.User} {
		if strings.IndexByte(text, 0) >= 0 {
			return nil, fmt.Errorf("%w: NUL byte in a name", ErrInvalidTarget)
		}
	}
	for name, value := range settings {
		if strings.IndexByte(name, 0) >= 0 || strings.IndexByte(value, 0) >= 0 {
			return nil, fmt.Errorf("%w: NUL byte in a parameter", ErrInvalidTarget)
		}
	}
	return settings, nil
}

func (t *Target) maxProtocol() (string, error) {
	switch t.MaxProtocol {
	case "":
		return "3.0", nil
	case "3.0", "3.2":
		return t.MaxProtocol, nil
	}
	return "", fmt.Errorf("%w: protocol version %q", ErrInvalidTarget, t.MaxProtocol)
}
