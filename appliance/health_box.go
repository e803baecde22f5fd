package appliance

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/vitals"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// What is looked at besides node, miners and money: the machine, and what keeps the
// pool running.

// stamped is a moment as sentences of the box have it.
func stamped(t time.Time) string { return t.UTC().Format("2006-01-02 15:04") + " UTC" }

func (a *Appliance) checkClockHealth(now time.Time, n NodeStatus) Check {
	c := Check{Name: "clock", Status: Healthy, Reason: "The clock says " + stamped(now) + "."}
	switch {
	case a.clockUnset(now):
		c.Status = Down
		c.Reason, c.NextStep = clockText(now)
	case n.Clock != nil:
		c.Status, c.Reason, c.NextStep = Degraded, n.Clock.Text, n.Clock.Next
	}
	return c
}

// memoryLow is the memory that programs should still be able to get.
const memoryLow = 100_000_000

// checkMemory looks at what the kernel says of the memory.
func checkMemory(r vitals.Reading) Check {
	c := Check{Name: "memory", Status: Healthy}
	if r.Memory == nil || r.Available == nil {
		c.Reason = "The system does not say how much memory is left."
		return c
	}
	c.Reason = fmt.Sprintf("Programs can still get %s of %s of memory.", size(*r.Available), size(*r.Memory))
	if *r.Available < min(memoryLow, *r.Memory/10) {
		c.Status = Degraded
		c.NextStep = "End other programs on this machine, or give the node a smaller cache: without memory the system ends programs, and the node is the largest."
	}
	return c
}

// polkitUnit is who decides for systemd whether the pool may start its node.
const polkitUnit = "polkit.service"

// checkServiceHealth looks at who keeps the pool, and its node, running.
func (a *Appliance) checkServiceHealth(ctx context.Context, n NodeStatus) Check {
	c := Check{Name: "service", Status: Healthy, Reason: "The pool was started by hand, so nothing starts it again when it ends."}
	if os.Getenv("NOTIFY_SOCKET") != "" {
		c.Reason = "systemd starts the pool again when it ends."
		if period, err := daemon.SdWatchdogEnabled(false); err == nil && period > 0 {
			c.Reason = fmt.Sprintf("systemd starts the pool again when it ends, or does not answer for %s.", period)
		}
	}
	s := a.config.Service
	if s == nil {
		return c
	}
	bad := Down
	if n.Asked {
		bad = Degraded // the node runs; it only could not be started again
	}
	if _, err := s.Units.Status(ctx, bitcoind.NodeUnit(a.network)); err != nil {
		return Check{
			Name: "service", Status: bad, Reason: fmt.Sprintf("systemd cannot be asked for the node: %v.", err),
			NextStep: "Look at systemctl status dbus, and whether the package is whole: sudo apt install --reinstall dmpool.",
		}
	}
	if _, err := s.Units.Status(ctx, polkitUnit); err != nil {
		return Check{
			Name: "service", Status: bad, Reason: fmt.Sprintf("Nobody can allow the pool to start and stop its node, because polkit cannot run: %v.", err),
			NextStep: "Bring it back with sudo systemctl unmask polkit.service, or sudo apt install polkitd. The pool goes on by itself then.",
		}
	}
	if n.Class == string(bitcoind.ClassService) {
		return Check{
			Name: "service", Status: bad, Reason: n.Text,
			NextStep: "Look at sudo journalctl -u polkit -u dmpool. The rules that let the pool start its node come with the package: sudo apt install --reinstall dmpool.",
		}
	}
	return c
}

func (a *Appliance) checkPortHealth() Check {
	c := Check{Name: "ports", Status: Healthy}
	var open, shut []string
	for _, ln := range a.config.Stratum {
		open = append(open, ln.Addr().String())
	}
	if p := a.pool.Load(); p != nil {
		for _, port := range p.Status().Ports {
			if port.Problem != "" {
				shut = append(shut, port.Problem)
			} else if port.Addr != "" {
				open = append(open, port.Addr)
			}
		}
	}
	c.Reason = "Miners can connect to " + strings.Join(open, ", ") + "."
	if len(shut) > 0 {
		c.Status, c.Reason = Degraded, "A port for miners is not open: "+strings.Join(shut, " ")
		c.NextStep = "Stop the program that has it, or choose another port on the settings page."
	}
	return c
}

// sharesLate is how long connected miners may be without a share until somebody should
// look at them. A small miner on a port that is not for it needs minutes for one.
const sharesLate = 30 * time.Minute

func (a *Appliance) checkShareHealth(ctx context.Context, now time.Time) Check {
	p := a.pool.Load()
	if p == nil {
		return Check{Name: "shares", Status: Healthy, Reason: "Shares come when the pool has begun."}
	}
	last, err := a.shares.LastShare(ctx)
	if err != nil {
		return unreadableShares(err)
	}
	c := checkLastShare(now, last)
	status := p.Status()
	waiting := 0
	for _, s := range status.Sessions {
		if now.Sub(s.ConnectedAt) > sharesLate {
			waiting++
		}
	}
	if status.Serving && waiting > 0 && now.Sub(last) > sharesLate && now.Sub(status.TemplateAt) < sharesLate {
		c.Status = Degraded
		c.NextStep = "Look at the page Miners, and at what the miners themselves say. The smallest devices have a port of their own."
	}
	return c
}

// checkLastShare tells when the last share came; zero is never.
func checkLastShare(now, last time.Time) Check {
	c := Check{Name: "shares", Status: Healthy, Reason: "No share has come yet."}
	if !last.IsZero() {
		c.Reason = fmt.Sprintf("The last share came %s ago.", now.Sub(last).Round(time.Second))
	}
	return c
}

func unreadableShares(err error) Check {
	return Check{Name: "shares", Status: Down, Reason: "The share log cannot be read: " + err.Error() + ".", NextStep: "Check the disk and its free space."}
}

// checkLogOf is checkShareHealth of a pool that does not run.
func (a *Appliance) checkLogOf(ctx context.Context, now time.Time) Check {
	db := sqlite.Look(a.dir.shares(a.network))
	defer db.Close()
	last, err := shares.LastShareIn(ctx, db)
	if err != nil {
		return unreadableShares(err)
	}
	return checkLastShare(now, last)
}

// backupGrace is how long a new box may go without a backup.
const backupGrace = 7 * 24 * time.Hour

// checkBackupHealth tells of backups. A new box, and one whose coins are worth
// nothing, is not called unwell for having none.
func (a *Appliance) checkBackupHealth(ctx context.Context, now time.Time) Check {
	s, err := a.BackupState(ctx)
	if err != nil {
		return Check{Name: "backup", Status: Degraded, Reason: "The history of the backups cannot be read: " + err.Error() + ".", NextStep: "Check the disk."}
	}
	c := Check{Name: "backup", Status: Healthy}
	switch {
	case s.Problem == "":
		c.Reason = "The newest backup that is known to restore is from " + stamped(s.LastVerified) + "."
	case s.Last.Problem == "" && s.LastVerified.IsZero() && (a.privateChain() || now.Sub(a.madeAt(ctx)) < backupGrace):
		c.Reason, c.NextStep = s.Problem, s.Next
	default:
		c.Status, c.Reason, c.NextStep = Degraded, s.Problem, s.Next
	}
	return c
}

// madeAt is when the box was set up; zero if that cannot be read.
func (a *Appliance) madeAt(ctx context.Context) (at time.Time) {
	all, err := people(ctx, a.db.Reader())
	if err != nil {
		return at
	}
	for _, p := range all {
		if at.IsZero() || p.AddedAt.Before(at) {
			at = p.AddedAt
		}
	}
	return at
}
