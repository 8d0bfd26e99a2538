package awsmodel

import (
	"net/textproto"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

func canonical(name string) string { return textproto.CanonicalMIMEHeaderKey(name) }

// ours are headers that belong to signing, to the protocols and to clients, and say nothing of an operation.
var ours = map[string]bool{
	"x-amz-date": true, "x-amz-security-token": true, "x-amz-content-sha256": true, "x-amz-target": true, "x-amz-user-agent": true,
	"x-amz-trailer": true, "x-amz-decoded-content-length": true, "x-amz-te": true, "x-amz-region-set": true, "x-amz-sdk-checksum-algorithm": true,
	"x-amz-api-version": true, "x-amz-glacier-version": true,
}

// checkHeaders refuses a header x-amz-* that is none of the operation's: a service may understand what is not known here.
func checkHeaders(c Call) error {
	for name, values := range c.input.header {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") {
			continue
		}
		if err := c.checkHeader(lower, len(values)); err != nil {
			return err
		}
	}
	for _, p := range c.input.hoist {
		if err := c.checkHeader(p.name, 1); err != nil {
			return err
		}
	}
	return nil
}

func (c Call) checkHeader(name string, count int) error {
	known := ours[name] || strings.HasPrefix(name, "x-amz-checksum-") || c.takesHeader(name)
	if !known {
		return refuse(ErrHeader, "header "+clip(name), "the operation takes none", "")
	}
	if count != 1 {
		return refuse(ErrHeader, "header "+clip(name), "it stands there twice", "")
	}
	return nil
}

func (c Call) takesHeader(name string) bool {
	if c.op.input == nil {
		return false
	}
	for _, m := range c.op.input.Members {
		switch wire := strings.ToLower(wireName(m)); m.At {
		case modelfile.InHeader:
			if wire == name {
				return true
			}
		case modelfile.InHeaders:
			if strings.HasPrefix(name, wire) {
				return true
			}
		}
	}
	return false
}
