// Command writ-edge runs an edge.
package main

import (
	"github.com/writhq/writ/edgeagent"
	"github.com/writhq/writ/pkg/config"
	"github.com/writhq/writ/pkg/version"
)

func main() {
	config.Main(config.Spec{
		Name:        "writ-edge",
		Description: "Decides, holds, masks and records what clients send to the targets of one network.",
		Version:     version.String(),
		EnvPrefix:   "WRIT_EDGE_",
	}, edgeagent.Run)
}
