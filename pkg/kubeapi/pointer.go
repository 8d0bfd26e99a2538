package kubeapi

import "strings"

// readPointer takes a JSON pointer (RFC 6901) apart. Some programs ignore what stands before the first slash, or read
// other escapes than ~0 and ~1; such pointers are refused.
func readPointer(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' || !printable(pointer) {
		return nil, badBody("a JSON pointer that does not begin with a slash, or is not printable")
	}
	tokens := strings.Split(pointer[1:], "/")
	if len(tokens) > MaxDepth {
		return nil, badBody("a JSON pointer that is too deep")
	}
	for i, t := range tokens {
		for j := 0; j < len(t); j++ {
			if t[j] == '~' && (j+1 == len(t) || t[j+1] != '0' && t[j+1] != '1') {
				return nil, badBody("a JSON pointer with an unknown escape")
			}
		}
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens, nil
}

// context returns the keys that a pointer passes, as [walk] knows them.
func context(tokens []string) []string {
	keys := make([]string, 0, len(tokens))
	for _, t := range tokens {
		if !isIndex(t) {
			keys = append(keys, fold(t))
		}
	}
	return keys
}

// isIndex reports tokens that stand for a place in a list: digits, a negative number, or the end.
func isIndex(token string) bool {
	token = strings.TrimPrefix(token, "-")
	for i := 0; i < len(token); i++ {
		if !isDigit(token[i]) {
			return false
		}
	}
	return true
}
