package credentials

// For the fuzz test.
var (
	IdentityName = identityName
	TagValue     = tagValue
)
