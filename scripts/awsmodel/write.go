package main

import (
	"bytes"
	"compress/flate"
	"os"
	"path/filepath"
	"strings"

	"github.com/writhq/writ/pkg/awsmodel/modelfile"
)

// write puts three files into dir: the head, the services' blocks one after another, and the sources for people to read.
func write(dir string, f modelfile.File, services []modelfile.Service) error {
	blocks := make([][]byte, len(services))
	for i, s := range services {
		blocks[i] = modelfile.EncodeService(s)
	}
	f.Dictionary = dictionary(blocks)
	var all bytes.Buffer
	for i, s := range services {
		packed, err := deflate(blocks[i], []byte(f.Dictionary))
		if err != nil {
			return err
		}
		s.Size = len(packed)
		f.Services = append(f.Services, s.Head)
		all.Write(packed)
	}
	head, err := deflate(modelfile.EncodeHead(f), nil)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, b := range map[string][]byte{
		"head.bin": head, "services.bin": all.Bytes(), "SOURCES.txt": []byte(strings.Join(f.Sources, "\n") + "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func deflate(b, dictionary []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := flate.NewWriterDict(&out, flate.BestCompression, dictionary)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(b); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// maxDictionary is what deflate can look back.
const maxDictionary = 32 << 10

// dictionary holds the words that most blocks share, the most frequent last, where they cost the least to refer to.
func dictionary(blocks [][]byte) string {
	words := sharedWords(blocks)
	var size int
	for i, w := range words {
		if size += len(w); size > maxDictionary {
			words = words[:i]
			break
		}
	}
	var b strings.Builder
	for i := len(words) - 1; i >= 0; i-- {
		b.WriteString(words[i])
	}
	return b.String()
}
