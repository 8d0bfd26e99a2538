package config

import "testing"

func FuzzParseFile(f *testing.F) {
	f.Add([]byte("a: 1\nb: [x, {y: z}]\n"))
	f.Add([]byte("a: &x {b: *x}\n<<: *x\n? [a]\n: b\n"))
	f.Add([]byte("%YAML 1.2\n---\n!!map {\"a\": |+\n b\n"))
	f.Add([]byte("- - - ? : >-\n\t'"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := parseFile("x", data)
		if err == nil && parsed == nil {
			t.Fatal("neither a file nor an error")
		}
	})
}
