package cloudtrail

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// besides are folders in a trail's bucket that hold no events.
var besides = map[string]bool{"CloudTrail-Digest": true, "CloudTrail-Insight": true}

// Files returns the log files at paths: files by any name, and of folders what is named .json or .json.gz, in order.
func Files(paths []string) (names []string, err error) {
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			names = append(names, path)
			continue
		}
		err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && besides[d.Name()]:
				return fs.SkipDir
			case d.Type().IsRegular() && (strings.HasSuffix(name, ".json") || strings.HasSuffix(name, ".json.gz")):
				names = append(names, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return names, nil
}
