package credentials

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"
)

// identityName returns a name as AWS STS takes it for RoleSessionName and SourceIdentity, [\w+=,.@-]{2,64}. Two names
// never become the same.
func identityName(name string) string { return awsName(name, "_+=,.@-", 64) }

// tagValue returns a value as AWS takes it for a session tag, of at most 256. Two values never become the same.
func tagValue(value string) string {
	if strings.HasPrefix(strings.ToLower(value), "aws:") { // AWS keeps these for itself
		return hashed(value, strings.Replace(value, ":", "_", 1), " _.:/=+-@", 256)
	}
	return awsName(value, " _.:/=+-@", 256)
}

// hashForm is how a name ends that was changed.
var hashForm = regexp.MustCompile(`-[0-9a-f]{16}$`)

// awsName returns name as it is where it is made of ASCII letters, digits and the runes in also, is 2 to most long, and
// does not look like a changed one. Else it is changed.
func awsName(name, also string, most int) string {
	if len(name) >= 2 && len(name) <= most && !hashForm.MatchString(name) && replaced(name, also) == name {
		return name
	}
	return hashed(name, name, also, most)
}

// hashed returns what can be read of a name, and a hash of all of it.
func hashed(name, readable, also string, most int) string {
	sum := sha256.Sum256([]byte(name))
	suffix := "-" + hex.EncodeToString(sum[:8])
	readable = replaced(readable, also)
	return readable[:min(len(readable), most-len(suffix))] + suffix
}

// replaced has an underscore in the place of every rune that is not allowed.
func replaced(name, also string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r < 0x80 && strings.ContainsRune(also, r):
			return r
		}
		return '_'
	}, name)
}
