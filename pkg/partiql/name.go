package partiql

import "strings"

// isTable takes a table's name, and its ARN in its place.
func isTable(s string) bool {
	if !strings.HasPrefix(s, "arn:") {
		return isName(s)
	}
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[1] == "" || parts[2] != "dynamodb" || parts[3] == "" || len(parts[4]) != 12 {
		return false
	}
	name, ok := strings.CutPrefix(parts[5], "table/")
	return ok && isName(name) && !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == '*' || c == '?' })
}

// isName takes the names that DynamoDB allows for tables and indexes.
func isName(s string) bool {
	if len(s) == 0 || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !(letter(c) && c != '$' || digit(c) || c == '-' || c == '.') {
			return false
		}
	}
	return true
}
