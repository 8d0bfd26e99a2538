package credentials

// SessionPolicy is what sessions in an account are narrowed with.
const SessionPolicy = sessionPolicy

// For the fuzz test.
var (
	IdentityName = identityName
	TagValue     = tagValue
)
