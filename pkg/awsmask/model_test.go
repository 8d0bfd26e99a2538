package awsmask_test

import (
	"sync"
	"testing"

	"github.com/writhq/writ/pkg/awsmask"
	"github.com/writhq/writ/pkg/awsmodel"
	"github.com/writhq/writ/pkg/mask"
)

var open = sync.OnceValues(awsmodel.Open)

func model(t testing.TB) *awsmodel.Model {
	t.Helper()
	m, err := open()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func call(t testing.TB, service, operation string) awsmodel.Call {
	t.Helper()
	c, err := model(t).Answers(service, operation)
	if err != nil || c.IsZero() {
		t.Fatalf("no %s:%s: %v", service, operation, err)
	}
	return c
}

func detector(t testing.TB) *mask.Detector {
	t.Helper()
	d, err := mask.New(mask.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// redact hides paths with ***.
func redact(paths ...string) (fields []awsmask.Field) {
	for _, p := range paths {
		fields = append(fields, awsmask.Field{Path: p, Rule: mask.Rule{Kind: mask.Redact}})
	}
	return fields
}

// masker hides paths of an operation, and all that AWS calls secret where none is given.
func masker(t testing.TB, service, operation string, paths ...string) *awsmask.Masker {
	t.Helper()
	c := call(t, service, operation)
	if len(paths) == 0 {
		paths = c.Secrets
	}
	m, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Fields: redact(paths...)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// looking looks through customers' data, and hides nothing by rule.
func looking(t testing.TB, service, operation string) *awsmask.Masker {
	t.Helper()
	c := call(t, service, operation)
	m, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Data: c.Data, Detector: detector(t)})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every path that the models give leads to something in the answers of its operation.
func TestPathsOfModels(t *testing.T) {
	m, det, ops, paths := model(t), detector(t), 0, 0
	for _, service := range m.Services() {
		names, err := m.Operations(service)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			c := call(t, service, name)
			for _, path := range append(c.Secrets, c.Data...) {
				if !awsmask.Leads(c.Answer(), path) {
					t.Errorf("%s:%s: %s leads to nothing", service, name, path)
				}
				paths++
			}
			if _, err := awsmask.New(awsmask.Config{Answer: c.Answer(), Fields: redact(c.Secrets...), Data: c.Data, Detector: det}); err != nil {
				t.Errorf("%s:%s: %v", service, name, err)
			}
			ops++
		}
	}
	t.Logf("%d paths in the answers of %d operations", paths, ops)
}
