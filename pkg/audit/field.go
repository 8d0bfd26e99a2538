package audit

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// The fields of a record's encoding: a protobuf message (record.proto describes it), fields in ascending order,
// empty ones left out.
const (
	fieldID protowire.Number = iota + 1
	fieldSeq
	fieldTime
	fieldKind
	fieldEdge
	fieldSession
	fieldPrincipal
	fieldPrincipalKind
	fieldOnBehalfOf
	fieldResource
	fieldGrant
	fieldClientAddr
	fieldProtocol
	fieldApplication
	fieldCommand
	fieldStatement
	fieldParams
	fieldDigest
	fieldDecision
	fieldPolicyIDs
	fieldRevision
	fieldReason
	fieldRequestID
	fieldHoldID
	fieldActions
	fieldTables
	fieldMaskedColumns
	fieldRowCount
	fieldBytes
	fieldDuration
	fieldCommandTag
	fieldErrorCode
	fieldErrorMessage
	fieldColumns
	fieldRows
	fieldAttrs
	fieldTrimmed
	fieldPrev
	fieldHash
)

// Fields of the messages inside a record.
const (
	fieldValueData   protowire.Number = 1
	fieldValueNull   protowire.Number = 2
	fieldValueMasked protowire.Number = 3

	fieldRowValues protowire.Number = 1

	fieldAttrName  protowire.Number = 1
	fieldAttrValue protowire.Number = 2
)

func invalid(what string) error { return fmt.Errorf("%w: %s", ErrInvalid, what) }

func malformed(what string) error { return fmt.Errorf("%w: %s", ErrMalformed, what) }
