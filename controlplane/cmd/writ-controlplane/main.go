// Command writ-controlplane runs the control plane.
package main

import (
	_ "time/tzdata" // the hours of approvers name time zones, and a machine may have no database of them

	"github.com/writhq/writ/controlplane"
	"github.com/writhq/writ/pkg/config"
	"github.com/writhq/writ/pkg/version"
)

func main() {
	config.Main(config.Spec{
		Name:        "writ-controlplane",
		Description: "Policy, approvals, credential brokering, inventory and audit for a fleet of Writ edges.",
		Version:     version.String(),
		EnvPrefix:   "WRIT_CONTROLPLANE_",
	}, controlplane.Run)
}
