package pgwire

// SQLState is a five-character error code (appendix "PostgreSQL Error Codes").
type SQLState string

// The codes that a gateway gives or looks for.
const (
	StateSuccess                 SQLState = "00000"
	StateWarning                 SQLState = "01000"
	StateConnectionFailure       SQLState = "08006"
	StateConnectionRejected      SQLState = "08004"
	StateProtocolViolation       SQLState = "08P01"
	StateFeatureNotSupported     SQLState = "0A000"
	StateCharacterNotInRepertory SQLState = "22021"
	StateInvalidTextRepresent    SQLState = "22P02"
	StateInvalidParameterValue   SQLState = "22023"
	StateActiveTransaction       SQLState = "25001"
	StateReadOnlyTransaction     SQLState = "25006"
	StateInFailedTransaction     SQLState = "25P02"
	StateInvalidStatementName    SQLState = "26000"
	StateInvalidAuthorization    SQLState = "28000"
	StateInvalidPassword         SQLState = "28P01"
	StateInvalidCursorName       SQLState = "34000"
	StateInvalidCatalogName      SQLState = "3D000"
	StateSyntaxError             SQLState = "42601"
	StateInsufficientPrivilege   SQLState = "42501"
	StateDuplicateCursor         SQLState = "42P03"
	StateDuplicateStatement      SQLState = "42P05"
	StateInsufficientResources   SQLState = "53000"
	StateDiskFull                SQLState = "53100"
	StateOutOfMemory             SQLState = "53200"
	StateTooManyConnections      SQLState = "53300"
	StateConfigurationLimit      SQLState = "53400"
	StateProgramLimitExceeded    SQLState = "54000"
	StateStatementTooComplex     SQLState = "54001"
	StateObjectNotReady          SQLState = "55000"
	StateLockNotAvailable        SQLState = "55P03"
	StateQueryCanceled           SQLState = "57014"
	StateAdminShutdown           SQLState = "57P01"
	StateCrashShutdown           SQLState = "57P02"
	StateCannotConnectNow        SQLState = "57P03"
	StateIdleSessionTimeout      SQLState = "57P05"
	StateSystemError             SQLState = "58000"
	StateIOError                 SQLState = "58030"
	StateInternalError           SQLState = "XX000"
)

// Class returns the code's first two characters.
func (s SQLState) Class() string { return string(s[:min(2, len(s))]) }
