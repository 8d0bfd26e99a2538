package mask

import (
	"fmt"
	"math/rand"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// loop runs do over size bytes and reports the speed by processor time, which other load on the machine does not slow.
func loop(b *testing.B, size int, do func()) {
	b.Helper()
	b.SetBytes(int64(size))
	b.ReportAllocs()
	start := processorTime(b)
	for b.Loop() {
		do()
	}
	b.ReportMetric(float64(size)*float64(b.N)/1e6/(processorTime(b)-start).Seconds(), "cpu-MB/s")
}

func processorTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// corpus makes about 1 MiB of rows; every nth has something to find.
func corpus(nth int) []byte {
	rnd := rand.New(rand.NewSource(1))
	words := strings.Fields("order shipped to the customer in the usual packaging with a note about delivery times and returns")
	var b strings.Builder
	for i := 0; b.Len() < 1<<20; i++ {
		fmt.Fprintf(&b, "%d|2026-11-%02d 10:%02d:07|", 100000+i, 1+i%28, i%60)
		for range 12 {
			b.WriteString(words[rnd.Intn(len(words))] + " ")
		}
		if i%nth == 0 {
			b.WriteString("|alice@example.com|+1 415 555 2671")
		}
		b.WriteByte('\n')
	}
	return []byte(b.String())
}

func BenchmarkScanSparse(b *testing.B) { benchScan(b, corpus(100)) }

func BenchmarkScanDense(b *testing.B) { benchScan(b, corpus(1)) }

func BenchmarkScanJSON(b *testing.B) {
	benchScan(b, []byte(strings.Repeat(`{"name":"some product","tags":["red","large"],"price":19.95,"note":"nothing to see"},`, 12000)))
}

func benchScan(b *testing.B, text []byte) {
	d := testDetector(b, Config{})
	hits := make([]Hit, 0, 1<<16)
	loop(b, len(text), func() { hits = d.Scan(hits[:0], text) })
	b.ReportMetric(float64(len(hits)), "hits")
}

// BenchmarkRegexpSparse is what the scan is measured against: the classes as expressions of the standard library.
func BenchmarkRegexpSparse(b *testing.B) {
	text := corpus(100)
	res := []*regexp.Regexp{
		regexp.MustCompile(`\b[0-9](?:[ -]?[0-9]){12,18}\b`), regexp.MustCompile(`\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b`),
		regexp.MustCompile(`\+[0-9](?:[ .()-]{0,2}[0-9]){7,14}`), regexp.MustCompile(`\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b`),
	}
	for _, o := range oracles {
		res = append(res, o.shape)
	}
	loop(b, len(text), func() {
		for _, re := range res {
			re.FindAllIndex(text, -1)
		}
	})
}

// BenchmarkDataRow rewrites rows of text with detectors on; nth row has a hit, and one column may be masked by rule.
func BenchmarkDataRow(b *testing.B) {
	note := strings.Repeat("order shipped to the customer in the usual packaging ", 2)
	d := testDetector(b, Config{})
	for _, bench := range []struct {
		name string
		mask *Rule
		mail string
	}{
		{"clean", nil, "no address"}, {"hit", nil, "alice@example.com"}, {"rule", rule("partial:4"), "alice@example.com"},
		{"hash", rule("hash"), "alice@example.com"},
	} {
		b.Run(bench.name, func(b *testing.B) {
			in := row("100042", "Alice Example", bench.mail, note, "2026-11-23 10:00:00+00", "19.95")
			p := testPlan(b, Column{OID: 23}, Column{OID: oidText}, Column{OID: oidText, Rule: bench.mask}, Column{OID: oidText},
				Column{OID: 1184}, Column{OID: oidNumeric})
			dst := make([]byte, 0, 1024)
			loop(b, len(in), func() {
				if _, _, err := RewriteDataRow(dst, in, p, d); err != nil {
					b.Fatal(err)
				}
			})
		})
	}
}

func BenchmarkCopyText(b *testing.B) {
	line := []byte("100042\tAlice Example\talice@example.com\t" + strings.Repeat("order shipped to the customer ", 4) + "\t2026-11-23\n")
	c := testCopy(b, CopyOptions{Format: CopyText}, testDetector(b, Config{}), Column{OID: 23}, Column{OID: oidText},
		Column{OID: oidText, Rule: rule("redact")}, Column{OID: oidText}, Column{OID: 1082})
	dst := make([]byte, 0, 1024)
	loop(b, len(line), func() {
		if _, err := c.Write(dst, line); err != nil {
			b.Fatal(err)
		}
	})
}
