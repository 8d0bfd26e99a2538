package pgwire

// Limits of the server and of libpq. Each counts the length word (4 bytes) and the
// body, as the length on the wire does, but not the type byte.
const (
	// MaxStartupPacketLength is MAX_STARTUP_PACKET_LENGTH of libpq/pqcomm.h.
	MaxStartupPacketLength = 10000
	// SmallMessageLimit is PQ_SMALL_MESSAGE_LIMIT of libpq/libpq.h.
	SmallMessageLimit = 10000
	// LargeMessageLimit is PQ_LARGE_MESSAGE_LIMIT of libpq/libpq.h, MaxAllocSize - 1.
	LargeMessageLimit = 0x3fffffff - 1
	// MaxAuthTokenLength is PG_MAX_AUTH_TOKEN_LENGTH of libpq/auth.h.
	MaxAuthTokenLength = 65535
	// MaxShortBackendMessage is what libpq accepts for a backend message that is
	// not one of VALID_LONG_MESSAGE_TYPE (fe-protocol3.c).
	MaxShortBackendMessage = 30000
	// MaxCancelKeyLength is MAX_CANCEL_KEY_LENGTH of the server's procsignal.h, in
	// bytes of key.
	MaxCancelKeyLength = 256
	// MinCancelKeyLength is the key's size under protocol 3.0, in bytes.
	MinCancelKeyLength = 4
)

// Defaults of [Options].
const (
	DefaultBufferSize   = 16 << 10
	DefaultMaxMessage   = 64 << 20
	DefaultMaxStatement = 1<<20 + 4<<10
)

// maxParameterDescription fits the 65535 parameters that the count can express.
const maxParameterDescription = 4 + 2 + 4*65535

// limits maps a message type to its largest length; 0 means that the type is not
// valid in this direction and phase.
type limits [256]uint32

var frontendAuthLimits = limits{
	TypePassword: MaxAuthTokenLength,
}

// frontendLimits follows SocketBackend in the server's tcop/postgres.c.
var frontendLimits = limits{
	TypeBind:         LargeMessageLimit,
	TypeClose:        SmallMessageLimit,
	TypeDescribe:     SmallMessageLimit,
	TypeExecute:      SmallMessageLimit,
	TypeFunctionCall: LargeMessageLimit,
	TypeFlush:        SmallMessageLimit,
	TypeParse:        LargeMessageLimit,
	TypeQuery:        LargeMessageLimit,
	TypeSync:         SmallMessageLimit,
	TypeTerminate:    SmallMessageLimit,
	TypeCopyFail:     SmallMessageLimit,
	TypeCopyDone:     SmallMessageLimit,
	TypeCopyData:     LargeMessageLimit,
}

var backendAuthLimits = limits{
	TypeAuthentication:           MaxAuthTokenLength,
	TypeBackendKeyData:           MaxShortBackendMessage,
	TypeErrorResponse:            LargeMessageLimit,
	TypeNegotiateProtocolVersion: MaxShortBackendMessage,
	TypeNoticeResponse:           LargeMessageLimit,
	TypeParameterStatus:          MaxShortBackendMessage,
	TypeReadyForQuery:            MaxShortBackendMessage,
}

var backendLimits = limits{
	TypeParseComplete:        MaxShortBackendMessage,
	TypeBindComplete:         MaxShortBackendMessage,
	TypeCloseComplete:        MaxShortBackendMessage,
	TypeNotificationResponse: LargeMessageLimit,
	TypeCommandComplete:      MaxShortBackendMessage,
	TypeDataRow:              LargeMessageLimit,
	TypeErrorResponse:        LargeMessageLimit,
	TypeCopyInResponse:       MaxShortBackendMessage,
	TypeCopyOutResponse:      MaxShortBackendMessage,
	TypeCopyBothResponse:     MaxShortBackendMessage,
	TypeEmptyQueryResponse:   MaxShortBackendMessage,
	TypeNoticeResponse:       LargeMessageLimit,
	TypeParameterStatus:      MaxShortBackendMessage,
	TypeRowDescription:       LargeMessageLimit,
	TypeFunctionCallResponse: LargeMessageLimit,
	TypeReadyForQuery:        MaxShortBackendMessage,
	TypeNoData:               MaxShortBackendMessage,
	TypePortalSuspended:      MaxShortBackendMessage,
	TypeParameterDescription: maxParameterDescription,
	TypeCopyDone:             MaxShortBackendMessage,
	TypeCopyData:             LargeMessageLimit,
}
