// Package console holds the built web console, a client of access.v1 that the control plane serves.
package console

import (
	"embed"
	"io/fs"
)

// dist is what `make console` built. A clean clone has an empty file in it, so that Go builds without Node.
//
//go:embed all:dist
var dist embed.FS

// page is the one document of the console; every address of it answers with this.
const page = "index.html"

// Files returns the console's files, with index.html at the root, and whether it was built. A file of any size has
// siblings "<name>.br" and "<name>.gz" of the same content, compressed.
func Files() (fs.FS, bool) {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		return dist, false
	}
	if _, err := fs.Stat(files, page); err != nil {
		return files, false
	}
	return files, true
}
