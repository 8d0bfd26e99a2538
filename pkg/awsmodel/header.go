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

// steering are headers by which some servers take a request for another than it is.
var steering = []string{
	"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url", "X-Forwarded-Host", "X-Forwarded-Prefix", "X-Forwarded-Server",
	"X-Host", "X-Original-Host", "X-Http-Host-Override", "Forwarded",
}

// checkHeaders refuses a header x-amz-* that is none of the operation's: a service may understand what is not known here.
func checkHeaders(c Call) error {
	for _, name := range steering {
		if len(c.input.header[name]) > 0 {
			return refuse(ErrHeader, "header "+name, "it may make another request of this one", "leave it out")
		}
	}
	for name, values := range c.input.header {
		if !isAmz(name) {
			continue
		}
		if lower := strings.ToLower(name); !ours[lower] && !c.takesHeader(lower) {
			return refuse(ErrHeader, "header "+clip(lower), "the operation takes none", "")
		}
		if len(values) != 1 {
			return refuse(ErrHeader, "header "+clip(name), "it stands there twice", "")
		}
	}
	for _, p := range c.input.hoist {
		if p.name != "x-amz-user-agent" && (c.Service != "s3" || !c.takesHeader(p.name)) {
			return refuse(ErrQuery, "query parameter "+clip(p.name), "the operation takes none", "")
		}
	}
	return nil
}

func isAmz(name string) bool {
	return len(name) > 6 && strings.EqualFold(name[:6], "x-amz-")
}

func (c Call) takesHeader(name string) bool {
	if strings.HasPrefix(name, "x-amz-checksum-") {
		return true
	}
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
