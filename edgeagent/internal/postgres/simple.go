package postgres

import (
	"errors"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/sqlclass"
	"github.com/writhq/writ/pkg/wire/pgwire"
)

// query handles the simple protocol: one message with any number of statements, decided
// as a whole.
func (p *proxy) query(body []byte) error {
	var m pgwire.Query
	if err := m.Decode(body); err != nil {
		return p.malformed(err)
	}
	a, skipping, err := p.classify(m.SQL)
	if err != nil {
		return p.refuseQuery(err)
	}
	if skipping { // the target ignores all but Sync
		return nil
	}
	delete(p.names.statements, "") // a simple query ends the unnamed statement
	delete(p.names.portals, "")
	if len(a.parts) == 0 {
		return p.emptyQuery()
	}
	inTx, err := p.inTransaction()
	if err != nil {
		return err
	}
	f, err := p.begin(p.command(a, m.SQL, nil, inTx))
	if err != nil {
		return p.refuseQuery(err)
	}
	if err := f.Ready(); err != nil {
		f.End(enforce.Outcome{Cut: "not forwarded: the session ended"})
		return p.refuseQuery(err)
	}
	r := newRun(p, f, a)
	p.due.push(&expect{kind: expectQuery, run: r})
	p.remember(a, r)
	return p.forward(f, &m)
}

// emptyQuery forwards a string of comments and white space: it holds nothing to decide.
func (p *proxy) emptyQuery() error {
	p.due.push(&expect{kind: expectQuery})
	return p.sout.build((&pgwire.Query{SQL: ""}).Append)
}

// forward sends a decided command to the target. Nothing else sends commands.
func (p *proxy) forward(f *enforce.Flight, m pgwire.Message) error {
	if f == nil {
		return errors.New("forward without a decision")
	}
	return p.sout.build(m.Append)
}

// refuseQuery answers a simple query that is not forwarded. Inside a transaction
// something that fails goes to the target instead, so that the transaction fails too.
func (p *proxy) refuseQuery(cause error) error {
	tx, skipping, err := p.drain()
	if err != nil {
		return err
	}
	if skipping && !p.due.tell() {
		return nil
	}
	answer, fatal, err := refusal(cause)
	if err != nil {
		return err
	}
	if fatal || skipping {
		p.out.add(answer)
		return errors.Join(p.out.flush(), errIf(fatal, cause))
	}
	if tx == pgwire.TxActive || p.midBatch {
		p.due.push(&expect{kind: expectQuery, instead: answer})
		return p.sout.build((&pgwire.Query{SQL: failing}).Append)
	}
	answer, err = (&pgwire.ReadyForQuery{Status: tx}).Append(answer)
	if err != nil {
		return err
	}
	p.out.add(answer)
	return p.out.flush()
}

// failing is what takes a refused command's place at the target: a syntax error, which
// touches nothing and fails the transaction.
const failing = "writ refused a statement"

// refusal renders the error for a refused command.
func refusal(cause error) (frame []byte, fatal bool, err error) {
	var denied *enforce.Denied
	if errors.As(cause, &denied) {
		frame, err = appendRefusal(nil, denied)
		return frame, denied.Fatal(), err
	}
	var local *localError
	if errors.As(cause, &local) {
		frame, err = local.append(nil)
		return frame, false, err
	}
	frame, err = appendFatal(nil, pgwire.StateInternalError, "the gateway cannot go on with this session", "connect again; ask whoever runs this edge if it stays so")
	return frame, true, err
}

// localError is an error that the gateway answers in the target's place.
type localError struct {
	code          pgwire.SQLState
	message, hint string
	position      int    // in the text, in characters from 1; 0 for none
	recorded      string // what the record says, where the message quotes the text
}

func (e *localError) Error() string { return e.message }

func (e *localError) append(dst []byte) ([]byte, error) {
	msg := pgwire.ErrorResponse{Diagnostic: pgwire.Diagnostic{
		Severity: pgwire.SeverityError, Code: e.code, Message: clean(e.message), Hint: clean(e.hint), Position: e.position,
	}}
	return msg.Append(dst)
}

// reason is what the record says.
func (e *localError) reason() string {
	if e.recorded != "" {
		return e.recorded
	}
	return e.message
}

// missing words what the target would say of a name that does not exist.
func missing(n *sqlclass.Name) *localError {
	switch n.What {
	case "relation":
		return &localError{code: "42P01", message: "relation \"" + n.Name + "\" does not exist", hint: "The gateway did not find it in the target's catalog either."}
	case "function":
		return &localError{code: "42883", message: "function " + n.Name + " does not exist", hint: "The gateway did not find it in the target's catalog either."}
	case "column":
		return &localError{code: "42703", message: "column \"" + n.Name + "\" does not exist", hint: "The gateway did not find it in the target's catalog either."}
	case "from":
		return &localError{code: "42P01", message: "missing FROM-clause entry for table \"" + n.Name + "\"", hint: "The gateway did not find it in the statement."}
	case "prepared":
		return &localError{code: pgwire.StateInvalidStatementName, message: "prepared statement \"" + n.Name + "\" does not exist"}
	case "cursor":
		return &localError{code: pgwire.StateInvalidCursorName, message: "cursor \"" + n.Name + "\" does not exist"}
	}
	return &localError{code: "42704", message: n.What + " \"" + n.Name + "\" does not exist"}
}
