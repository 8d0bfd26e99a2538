package policy

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed starter
var starterFiles embed.FS

// Starter is a small bundle to begin with, with its tests. It speaks of databases, clusters and AWS accounts labelled
// env=dev, env=demo and env=prod, of the groups agents, dba, sre, oncall and pii-readers, and of the
// data classes pii and secret.
func Starter() Bundle {
	b := Bundle{Files: map[string][]byte{}}
	err := fs.WalkDir(starterFiles, "starter", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := starterFiles.ReadFile(name)
		b.Files[strings.TrimPrefix(name, "starter/")] = text
		return err
	})
	if err != nil {
		panic(fmt.Sprintf("policy: embedded starter bundle: %v", err)) // the embed directive guarantees it
	}
	return b
}
