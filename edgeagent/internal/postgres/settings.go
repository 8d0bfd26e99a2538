package postgres

import "strings"

// sameSetting reports whether a fixed setting has the one value the gateway reads text with.
func sameSetting(name, value string) bool {
	v := strings.ToLower(strings.TrimSpace(value))
	switch name {
	case "client_encoding":
		v = strings.NewReplacer("-", "", "_", "").Replace(v)
		return v == "utf8" || v == "unicode"
	case "standard_conforming_strings":
		return v == "on" || v == "true" || v == "yes" || v == "1" || v == "t" || v == "y"
	}
	return false
}
