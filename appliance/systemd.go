package appliance

import (
	"github.com/coreos/go-systemd/v22/daemon"
)

// tellSystemd passes a state to the service manager (sd_notify(3)). Where there
// is none, nothing happens.
func (a *Appliance) tellSystemd(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		a.log.Warn("Service manager not told", "state", state, "err", err)
	}
}
