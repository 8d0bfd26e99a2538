package aws

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/writhq/writ/edgeagent/internal/enforce"
	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/mask"
	"github.com/writhq/writ/pkg/policy"
)

const (
	// classSecret is the class of what AWS answers as secret.
	classSecret = "secret"
	// anyOperation stands for every operation of a service in a class.
	anyOperation = "*"
	// noDetectors turns detection off.
	noDetectors = "none"
)

// field is a classified part of an operation's answer.
type field struct {
	path    string // as it was written
	classes []string
	every   bool // of the operations of a service that answer it
}

// masks are what an account's answers are masked by, whoever asks.
type masks struct {
	fields   map[string][]field // by "service:Operation"
	detector *mask.Detector     // nil is none
	key      mask.Key
}

var errMember = errors.New("not of the form service:Operation:path")

func newMasks(r *Resource) (*masks, error) {
	m := &masks{fields: map[string][]field{}}
	for _, class := range slices.Sorted(maps.Keys(r.Classes)) {
		for _, member := range r.Classes[class] {
			if err := m.add(class, member); err != nil {
				return nil, fmt.Errorf("member %q of class %q: %w", member, class, err)
			}
		}
	}
	var err error
	if len(r.MaskKey) > 0 {
		if m.key, err = mask.NewKey(r.MaskKey); err != nil {
			return nil, fmt.Errorf("masking key: %w", err)
		}
	}
	if slices.Equal(r.Detectors, []string{noDetectors}) {
		return m, nil
	}
	if m.detector, err = mask.New(mask.Config{Classes: r.Detectors, Key: m.key}); err != nil {
		return nil, fmt.Errorf("detectors: %w", err)
	}
	return m, nil
}

// add reads "service:Operation:path".
func (m *masks) add(class, member string) error {
	parts := strings.SplitN(member, ":", 3)
	if len(parts) != 3 || parts[0] == "" || parts[1] == "" {
		return errMember
	}
	if err := awsmask.CheckPath(parts[2]); err != nil {
		return err
	}
	key := parts[0] + ":" + parts[1]
	for i, f := range m.fields[key] {
		if f.path == parts[2] {
			m.fields[key][i].classes = append(f.classes, class)
			return nil
		}
	}
	m.fields[key] = append(m.fields[key], field{path: parts[2], classes: []string{class}, every: parts[1] == anyOperation})
	return nil
}

// of lists the classified parts of a call's answer: those that AWS calls secret, and those of the account's own classes. A call that could be
// of several services has the classes of them all.
func (m *masks) of(call awsmodel.Call) []field {
	list := make([]field, 0, len(call.Secrets))
	for _, path := range call.Secrets {
		list = append(list, field{path: path, classes: []string{classSecret}})
	}
	for i, service := range append([]string{call.Service}, call.Siblings...) {
		for _, operation := range []string{call.Operation, anyOperation} {
			for _, f := range m.fields[service+":"+operation] {
				f.every = f.every || i > 0
				list = append(list, f)
			}
		}
	}
	return list
}

// masker makes what masks the answer to the call, as policy has it for the principal now. It fails for a class whose path leads to nothing,
// so that nobody takes for hidden what is not.
func (x *exchange) masker() (*awsmask.Masker, error) {
	m := x.client.masks
	cfg := awsmask.Config{Answer: x.call.Answer(), Data: x.call.Data, Detector: m.detector, Key: m.key, MaxDocument: int(x.server.cfg.MaxBuffer)}
	if x.call.Service == "s3" && x.call.OutputBlob && !x.searched() {
		cfg.Detector = nil
	}
	name := x.client.account.Policy.Name
	for _, f := range m.of(x.call) {
		if f.every && !awsmask.Leads(cfg.Answer, f.path) {
			continue
		}
		shown := x.flight.Reveal(name.AWSField(x.call.Service, x.call.Operation, strings.TrimSuffix(f.path, "|base64"), f.classes...))
		cfg.Fields = append(cfg.Fields, awsmask.Field{Path: f.path, Clear: shown.Kind == policy.MaskReveal, Rule: enforce.MaskRule(shown.Mask)})
	}
	made, err := awsmask.New(cfg)
	if errors.Is(err, awsmask.ErrPath) {
		x.server.log.Error("a class of the account names what is in no answer", "resource", x.client.account.Name(), "error", err)
		return nil, &enforce.Denied{
			Cause: enforce.CauseMasked, Reason: "a class of the account names a member that " + x.call.Service + ":" + x.call.Operation + " does not answer", Next: "ask whoever keeps the resource",
		}
	}
	return made, err
}

// searched says that the object is in a bucket whose objects are searched.
func (x *exchange) searched() bool {
	named := x.client.account.SearchedBuckets
	return slices.Contains(named, x.call.Bucket) || slices.Contains(named, "*")
}
