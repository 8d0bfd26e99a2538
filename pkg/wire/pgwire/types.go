package pgwire

// Message types a frontend sends (PqMsg_* in libpq/protocol.h).
const (
	TypeBind         byte = 'B'
	TypeClose        byte = 'C'
	TypeDescribe     byte = 'D'
	TypeExecute      byte = 'E'
	TypeFunctionCall byte = 'F'
	TypeFlush        byte = 'H'
	TypeParse        byte = 'P'
	TypeQuery        byte = 'Q'
	TypeSync         byte = 'S'
	TypeTerminate    byte = 'X'
	TypeCopyFail     byte = 'f'
	TypePassword     byte = 'p' // also SASL and GSS responses
)

// Message types a backend sends.
const (
	TypeParseComplete            byte = '1'
	TypeBindComplete             byte = '2'
	TypeCloseComplete            byte = '3'
	TypeNotificationResponse     byte = 'A'
	TypeCommandComplete          byte = 'C'
	TypeDataRow                  byte = 'D'
	TypeErrorResponse            byte = 'E'
	TypeCopyInResponse           byte = 'G'
	TypeCopyOutResponse          byte = 'H'
	TypeEmptyQueryResponse       byte = 'I'
	TypeBackendKeyData           byte = 'K'
	TypeNoticeResponse           byte = 'N'
	TypeAuthentication           byte = 'R'
	TypeParameterStatus          byte = 'S'
	TypeRowDescription           byte = 'T'
	TypeFunctionCallResponse     byte = 'V'
	TypeCopyBothResponse         byte = 'W'
	TypeReadyForQuery            byte = 'Z'
	TypeNoData                   byte = 'n'
	TypePortalSuspended          byte = 's'
	TypeParameterDescription     byte = 't'
	TypeNegotiateProtocolVersion byte = 'v'
)

// Message types of both directions.
const (
	TypeCopyDone byte = 'c'
	TypeCopyData byte = 'd'
)

// HeaderSize is the size in bytes of a frame's type and length.
const HeaderSize = 5
