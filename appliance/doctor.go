package appliance

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/vitals"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Exam says what to examine.
type Exam struct {
	DataDir string
	Ports   []WantedPort      // that the box opens when it runs
	Built   time.Time         // date of this program; zero: not known
	Units   bitcoind.Services // the service manager; nil: the box is no service
}

// WantedPort is a port with what it is for.
type WantedPort struct{ Purpose, Addr, Flag string }

// Diagnosis is what came out.
type Diagnosis struct {
	Network string    // empty: the box is not set up
	Running bool      // a pool has the data directory
	Asked   time.Time // when it said how it is; zero: it has not
	Health
}

// poolUnit is the service that the package installs.
const poolUnit = "dmpool.service"

// Examine looks at a box from outside, whether or not it runs, by the same checks as
// [Appliance.Health] and with its words. It changes nothing. What only the running box
// knows is what that has said within the last minutes; the rest it looks at itself,
// and goes through all of the books. Where both look, the worse counts.
func Examine(ctx context.Context, e Exam) (d Diagnosis, err error) {
	dir := dataDir{e.DataDir}
	if d.Network, err = dir.network(); err != nil {
		return d, err
	}
	if d.Running, err = dir.running(); err != nil {
		return d, err
	}
	now := time.Now()
	a := &Appliance{config: Config{Built: e.Built}, dir: dir, network: d.Network, log: slog.New(slog.DiscardHandler)}
	checks := []Check{checkMemory(vitals.Read(now)), a.checkClockHealth(now, NodeStatus{})}
	if d.Network == "" {
		c := a.checkRunning(ctx, e, d.Running)
		if d.Running {
			c = Check{Name: "service", Status: Degraded, Reason: "The box waits for its first set-up.", NextStep: "Open its pages; dmpool claim-code prints where they are and the code that they ask for."}
		}
		d.Health = newHealth(append(checks, c)...)
		return d, nil
	}
	checks = append(checks, a.checkDiskHealth())
	checks = append(checks, a.examineData(ctx, now)...)
	if d.Running {
		var said []Check
		if said, d.Asked, err = dir.said(d.Network, now); err != nil {
			return d, err
		}
		d.Health = newHealth(merge(said, checks)...)
		return d, nil
	}
	checks = append(checks, a.checkRunning(ctx, e, false), checkFreePorts(ctx, e))
	d.Health = newHealth(checks...)
	return d, nil
}

// examineData looks at the databases.
func (a *Appliance) examineData(ctx context.Context, now time.Time) (checks []Check) {
	path := a.dir.ledger(a.network)
	version, newest, err := sqlite.Version(ctx, path, ledger.Schema)
	switch {
	case err != nil:
		return []Check{{Name: "db", Status: Down, Reason: "The ledger cannot be read: " + err.Error() + ".", NextStep: "Check the disk and its free space."}}
	case version < newest:
		return []Check{{Name: "db", Status: Degraded, Reason: "The ledger was last written by an older version.", NextStep: "Start the pool; it copies the books first and then brings them up to date."}}
	}
	a.db = sqlite.LookDB(path)
	defer a.db.Close()
	a.ledger = ledger.New(a.db)
	settings, _, err := a.StoredSettings(ctx)
	if err != nil {
		return []Check{{Name: "db", Status: Down, Reason: "The settings cannot be read: " + err.Error() + ".", NextStep: "Check the disk and its free space."}}
	}
	a.rules.now.Store(&settings)
	a.payouts = payout.New(a.db, a.ledger, nil, func() payout.Policy { return payout.Policy{} }, nil, nil, nil, a.log)
	wrong := ""
	if err := a.payouts.CheckBooks(ctx); err != nil {
		wrong = err.Error()
	}
	return []Check{
		a.checkDBHealth(ctx), a.checkBooks(ctx, "All sums agree; they were all checked just now.", wrong),
		a.checkBackupHealth(ctx, now), a.checkLogOf(ctx, now),
	}
}

// checkRunning tells why a pool that should run does not.
func (a *Appliance) checkRunning(ctx context.Context, e Exam, runs bool) Check {
	c := Check{Name: "service", Status: Down, Reason: "The pool does not run.", NextStep: "Start it with dmpool serve."}
	if runs {
		return Check{Name: "service", Status: Healthy, Reason: "The pool runs."}
	}
	if e.Units == nil {
		return c
	}
	s, err := e.Units.Status(ctx, poolUnit)
	if err != nil {
		c.Reason = fmt.Sprintf("The pool does not run, and systemd cannot be asked why: %v.", err)
		return c
	}
	c.NextStep = "Start it with sudo systemctl start dmpool. If it ends again, journalctl -u dmpool says why."
	if s.Active == "failed" || s.Sub == "auto-restart" {
		c.Reason = "The pool does not run: it has ended with an error."
	}
	return c
}

// said is how the running pool says that it is, and when it said so. A pool that has
// not said anything for long is stuck.
func (d dataDir) said(network string, now time.Time) ([]Check, time.Time, error) {
	t, err := d.told(network)
	if err != nil {
		return nil, t.At, err
	}
	switch age := now.Sub(t.At); {
	case t.At.IsZero():
		return []Check{{Name: "service", Status: Degraded, Reason: "The pool has just been started.", NextStep: "Ask again in a minute; what it does meanwhile is in its log."}}, t.At, nil
	case age > toldOld:
		c := Check{
			Name: "service", Status: Down, Reason: fmt.Sprintf("The pool runs, but has not said how it is for %s.", age.Round(time.Second)),
			NextStep: "If this lasts, start it again: sudo systemctl restart dmpool. journalctl -u dmpool has its log.",
		}
		return []Check{c}, t.At, nil
	}
	return t.Health.Checks, t.At, nil
}

// merge joins the checks of two: of two of one name the worse, and of two that are as
// bad the later.
func merge(first, later []Check) []Check {
	all := slices.Clone(first)
	for _, c := range later {
		i := slices.IndexFunc(all, func(other Check) bool { return other.Name == c.Name })
		switch {
		case i < 0:
			all = append(all, c)
		case !worse(all[i].Status, c.Status):
			all[i] = c
		}
	}
	return all
}

// checkFreePorts tells who has a port that the pool would open.
func checkFreePorts(ctx context.Context, e Exam) Check {
	if e.Units != nil {
		return checkSockets(ctx, e.Units)
	}
	for _, p := range e.Ports {
		ln, err := Listen(ctx, p.Purpose, p.Addr, p.Flag)
		if err != nil {
			return Check{Name: "ports", Status: Down, Reason: sentence(err), NextStep: "The pool cannot start before that."}
		}
		_ = ln.Close()
	}
	return Check{Name: "ports", Status: Healthy, Reason: "The ports that the pool opens are free."}
}

// checkSockets looks at the ports that systemd holds open for the pool.
func checkSockets(ctx context.Context, units bitcoind.Services) Check {
	for _, unit := range []string{"dmpool-http.socket", "dmpool-stratum.socket"} {
		s, err := units.Status(ctx, unit)
		if err != nil || s.Active != "active" {
			return Check{
				Name: "ports", Status: Down, Reason: fmt.Sprintf("systemd does not hold the port of %s open.", unit),
				NextStep: fmt.Sprintf("sudo systemctl status %s says why: often another program has the port. It is opened with sudo systemctl start %s.", unit, unit),
			}
		}
	}
	return Check{Name: "ports", Status: Healthy, Reason: "systemd holds the ports open for the pool."}
}
