package credentials

// SessionPolicies are what sessions in an account are narrowed with.
var SessionPolicies = sessionPolicies

// For the fuzz test.
var (
	IdentityName = identityName
	TagValue     = tagValue
)
