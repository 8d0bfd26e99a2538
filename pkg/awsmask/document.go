package awsmask

import (
	"fmt"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// Document masks a body that is a whole document, of a success or an error, and returns what was masked: paths of fields,
// and classes of what was detected. Where nothing is masked it returns body itself. Errors are ErrMalformed and ErrTooLarge.
func (m *Masker) Document(body []byte, fault bool) (out []byte, masked []string, err error) {
	if len(body) > m.cfg.MaxDocument {
		return nil, nil, fmt.Errorf("%w: over %d bytes", ErrTooLarge, m.cfg.MaxDocument)
	}
	f := found{}
	out, err = m.document(body, m.rootAt(fault), fault, f)
	return out, f.names(), err
}

func (m *Masker) document(body []byte, a at, fault bool, f found) ([]byte, error) {
	switch m.cfg.Answer.Protocol {
	case modelfile.JSON, modelfile.RESTJSON:
		return m.json(body, a, f)
	case modelfile.CBOR:
		return m.cbor(body, a, f)
	case modelfile.Query, modelfile.EC2, modelfile.RESTXML:
		return m.xml(body, a, fault, f)
	}
	return nil, malformed("of no protocol")
}

// rootAt is where a document begins. In JSON that is the payload, if there is one.
func (m *Masker) rootAt(fault bool) at {
	if fault {
		return m.enter(m.fault)
	}
	a := m.enter(m.output)
	if m.payload != nil && m.cfg.Answer.Protocol == modelfile.RESTJSON {
		return m.member(a, []byte(wireName(m.payload)))
	}
	return a
}
