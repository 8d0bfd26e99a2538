package kubetest

import (
	"sync"
	"testing"
)

// Shared is one lab for all tests of a package, started by the first that asks. A package has one as a variable:
//
//	var cluster kubetest.Shared
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
type Shared struct {
	Config Config

	once sync.Once
	lab  *Lab
	err  error
}

// Main runs the tests, and stops the lab where one was started.
func (s *Shared) Main(m *testing.M) int {
	defer func() {
		if s.lab != nil {
			s.lab.Stop()
		}
	}()
	return m.Run()
}

// Lab gives the lab. Like Start it skips the test where the program is missing.
func (s *Shared) Lab(t testing.TB) *Lab {
	t.Helper()
	s.once.Do(func() { s.lab, s.err = Run(s.Config) })
	if s.err != nil {
		giveUp(t, s.err)
	}
	return s.lab
}
