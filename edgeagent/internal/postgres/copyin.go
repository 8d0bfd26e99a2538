package postgres

import "github.com/writhq/writ/pkg/wire/pgwire"

// copyData passes a client's rows on while the target waits for them, and drops them
// otherwise, as the target would.
func (p *proxy) copyData(body []byte) error {
	if ok, err := p.awaitCopy(); err != nil || !ok {
		return err
	}
	p.due.sentCopy()
	return p.sout.build((&pgwire.CopyData{Data: body}).Append)
}

func (p *proxy) copyEnd(typ byte, body []byte) error {
	if ok, err := p.awaitCopy(); err != nil || !ok {
		return err
	}
	p.midBatch = p.due.endCopy()
	if typ == pgwire.TypeCopyDone {
		return p.sout.add(pgwire.AppendEmpty(nil, pgwire.TypeCopyDone))
	}
	var m pgwire.CopyFail
	if err := m.Decode(body); err != nil {
		return p.malformed(err)
	}
	return p.sout.build(m.Append)
}

// awaitCopy reports whether the target takes COPY data.
func (p *proxy) awaitCopy() (bool, error) {
	if p.due.inCopy() {
		return true, nil
	}
	if p.midBatch {
		p.sout.add(pgwire.AppendEmpty(nil, pgwire.TypeFlush))
	}
	if err := p.sout.flush(); err != nil {
		return false, err
	}
	return p.due.copying(), nil
}
