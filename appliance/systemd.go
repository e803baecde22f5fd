package appliance

import (
	"log/slog"

	"github.com/coreos/go-systemd/v22/daemon"
)

// tellSystemd passes a state to the service manager (sd_notify(3)). Where there
// is none, nothing happens.
func tellSystemd(log *slog.Logger, state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		log.Warn("Service manager not told", "state", state, "err", err)
	}
}
