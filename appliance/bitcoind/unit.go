package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// Services is what a [Unit] asks of systemd.
type Services interface {
	// Start and Stop ask for a unit to be started or stopped. They return when
	// that is queued; the channel, which has room for it, gets the result of the
	// job ("done", "failed", …).
	Start(ctx context.Context, unit string) (<-chan string, error)
	Stop(ctx context.Context, unit string) (<-chan string, error)
	// Forgive forgets earlier failures, of which too many forbid a start.
	Forgive(ctx context.Context, unit string) error
	// Status tells how a unit is.
	Status(ctx context.Context, unit string) (ServiceStatus, error)
}

// ServiceStatus is how systemd sees a unit.
type ServiceStatus struct {
	Active     string // active, activating, deactivating, inactive, failed
	Sub        string // closer: auto-restart is a pause before another start
	Invocation string // number of its last run, which no other run has
	PID        int    // of its main process, 0: none
	Text       string // what it says of itself
	Queued     bool   // a job of it, such as its start, is not over
}

// down tells whether there is no process, and none is about to be gone.
func (s ServiceStatus) down() bool {
	switch s.Active {
	case "inactive", "failed":
		return true
	case "activating":
		return s.Sub == "auto-restart" || s.Sub == "auto-restart-queued"
	}
	return false
}

// UnitConfig says which unit is looked after. Zero durations mean the defaults.
type UnitConfig struct {
	Care     // the pauses are shorter than the unit's own (RestartSec), so that of two who start it again this one is first
	Places   Places
	Services Services

	LookEvery time.Duration // at the unit; 1 s
	StopLimit time.Duration // a little more than the unit's TimeoutStopSec; 31 min
}

// Unit runs bitcoind as a unit of systemd, dmpool-bitcoind@NETWORK.service, under
// a user of its own. When Run ends the node runs on, and the next Run finds it; at
// the end of the machine systemd stops it, after the pool. Its methods are safe
// for concurrent use; Run is called once.
type Unit struct {
	*supervisor
	config UnitConfig

	alone bool // no other network's node runs; only for Run

	mu    sync.Mutex
	lines []string // end of the log of the run that failed last
}

var _ Runner = (*Unit)(nil)

// NewUnit prepares a Unit and asks nothing yet.
func NewUnit(config UnitConfig) *Unit {
	usual(&config.RetryMax, 20*time.Second)
	usual(&config.LookEvery, time.Second)
	usual(&config.StopLimit, 31*time.Minute)
	config.Care = config.withDefaults()

	u := &Unit{config: config}
	u.supervisor = newSupervisor(&u.config.Care, u)
	return u
}

// NodeUnit is the unit that is the node of a network.
func NodeUnit(network string) string { return "dmpool-bitcoind@" + network + ".service" }

func applyUnit(network string) string { return "dmpool-node-apply@" + network + ".service" }

// CopiesUnit is the unit that does [Places.ShareCopies].
func CopiesUnit(network string) string { return "dmpool-node-copies@" + network + ".service" }

// InstallUnit is the unit that grants wishes for a version of Bitcoin Core.
const InstallUnit = "dmpool-node-install.service"

// Log returns the end of the node's log as it was when it failed last, and says
// where the whole of it is: only the node's own user may read it.
func (u *Unit) Log() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	where := "The node's log is in " + u.config.Conf.debugLog() + "; read it on this machine, with sudo."
	return append(append([]string(nil), u.lines...), where)
}

func (u *Unit) prepare() error {
	if u.config.Probe == nil || u.config.Services == nil {
		return errors.New("it needs a Probe and Services")
	}
	return u.config.Conf.Validate()
}

// parting says what becomes of a node that nobody looks after.
func (u *Unit) parting() string { return "Nobody looks after the node any more; it runs on." }

// start finds the node that runs, or starts it.
func (u *Unit) start(ctx context.Context) (instance, failure) {
	if f := u.stopOthers(ctx); f.class != "" {
		return nil, f
	}
	unit := NodeUnit(u.config.Conf.Network)
	was, err := u.config.Services.Status(ctx, unit)
	if err != nil {
		return nil, noService(err)
	}
	if was.Active == "deactivating" {
		return nil, failure{class: ClassLock, text: "The node is still stopping; waiting for it to finish"}
	}
	r := u.takeOrder()
	if !was.down() && r == RepairNone && !u.elsewhere() {
		if err := u.apply(ctx, r); err != nil {
			u.config.Logger.Warn("Node keeps its old options", "err", err)
		}
		return u.follow(ctx, was), failure{}
	}
	next, failed := u.startAnew(ctx, was, r)
	if failed.class != "" || ctx.Err() != nil {
		if r != RepairNone {
			u.order(r) // it was not begun
		}
		return nil, failed
	}
	return u.follow(ctx, next), failure{}
}

// elsewhere tells whether the node that runs listens at other ports than we call:
// it was started for a pool whose books were lost since, or replaced by a backup.
func (u *Unit) elsewhere() bool {
	conf := u.config.Conf
	asked, err := u.config.Places.asked(conf.Network)
	return err == nil && (asked.RPCPort != conf.RPCPort || asked.ZMQPort != conf.ZMQPort)
}

// startAnew starts a node, with a repair if there is one to be done, and returns
// how the new run is.
func (u *Unit) startAnew(ctx context.Context, was ServiceStatus, r Repair) (ServiceStatus, failure) {
	u.forgetWish()
	unit := NodeUnit(u.config.Conf.Network)
	if !was.down() {
		u.halt(ctx, unit)
	}
	if f, taken := u.config.Conf.takenPort(ctx); taken {
		return was, f
	}
	if err := u.apply(ctx, r); err != nil {
		return was, noService(err)
	}
	if err := u.config.Services.Forgive(ctx, unit); err != nil {
		u.config.Logger.Debug("Failures of the node not forgotten", "err", err)
	}
	done, err := u.config.Services.Start(ctx, unit)
	if err != nil {
		return was, noService(err)
	}
	result := ""
	for {
		now, err := u.config.Services.Status(ctx, unit)
		switch {
		case err != nil:
			return was, noService(err)
		case now.Invocation != was.Invocation && (now.PID != 0 || result != ""): // without a process it has ended already
			return now, failure{}
		case result != "":
			return was, noService(fmt.Errorf("%s was not started (%s); see: systemctl status %s", unit, result, unit))
		case !now.Queued:
			result = untold(done)
			continue
		}
		select {
		case <-ctx.Done():
			return was, failure{}
		case result = <-done: // a last look at the status follows
		case <-time.After(u.config.ProbeEvery):
		}
	}
}

// apply has the node's user write the options that the pool wishes, whatever
// somebody wrote there meanwhile.
func (u *Unit) apply(ctx context.Context, r Repair) error {
	conf := u.config.Conf
	if err := u.config.Places.ask(conf.Network, conf.request(r)); err != nil {
		return err
	}
	if err := RunService(ctx, u.config.Services, applyUnit(conf.Network)); err != nil {
		return err
	}
	if r == RepairNone {
		return nil
	}
	return u.config.Places.ask(conf.Network, conf.request(RepairNone)) // nobody does it twice
}

// stopOthers ends the nodes of other networks, which ran on when the box went to
// this one.
func (u *Unit) stopOthers(ctx context.Context) failure {
	if u.alone {
		return failure{}
	}
	for _, network := range Networks() {
		if network == u.config.Conf.Network {
			continue
		}
		unit := NodeUnit(network)
		s, err := u.config.Services.Status(ctx, unit)
		if err != nil {
			return noService(err)
		}
		if s.Active == "inactive" || s.Active == "failed" {
			continue
		}
		if s.Active != "deactivating" {
			if _, err := u.config.Services.Stop(ctx, unit); err != nil {
				return noService(err)
			}
		}
		return failure{class: ClassLock, text: fmt.Sprintf("The node of the network %s is still stopping; waiting for it to finish", network)}
	}
	u.alone = true
	return failure{}
}

// hold stops the unit, also one that waits to be started again by systemd.
func (u *Unit) hold(ctx context.Context) {
	unit := NodeUnit(u.config.Conf.Network)
	s, err := u.config.Services.Status(ctx, unit)
	if err != nil || s.Active == "inactive" || s.Active == "failed" {
		return
	}
	u.halt(ctx, unit)
}

// halt asks systemd to stop the unit and waits for that. The question may get lost
// with the connection, so it is asked again before it is given up.
func (u *Unit) halt(ctx context.Context, unit string) {
	ctx, cancel := context.WithTimeout(ctx, u.config.StopLimit)
	defer cancel()
	done, err := u.config.Services.Stop(ctx, unit)
	for tries := 1; err != nil && tries < 10 && sleep(ctx, u.config.LookEvery); tries++ {
		done, err = u.config.Services.Stop(ctx, unit)
	}
	if err != nil {
		u.config.Logger.Error("Node cannot be stopped", "unit", unit, "err", err)
		return
	}
	if _, err := outcome(ctx, u.config.Services, unit, done, u.config.LookEvery); errors.Is(err, context.DeadlineExceeded) {
		u.config.Logger.Error("Node did not stop in time", "unit", unit, "limit", u.config.StopLimit)
	}
}

// noService says that systemd did not do what it was asked.
func noService(err error) failure {
	return failure{class: ClassService, text: fmt.Sprintf("The node cannot be run as a service: %v", err)}
}

// follow watches one run of the unit until that ends or nobody cares any more.
func (u *Unit) follow(ctx context.Context, s ServiceStatus) *unitRun {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &unitRun{u: u, unit: NodeUnit(u.config.Conf.Network), first: s, over: make(chan struct{}), cancel: cancel}
	go r.watch(ctx)
	return r
}

// unitRun is one run of the unit.
type unitRun struct {
	u      *Unit
	unit   string
	first  ServiceStatus // at the beginning
	over   chan struct{}
	cancel context.CancelFunc
}

// watch closes over when the run has ended. What systemd cannot tell for a while,
// because it is replaced itself, changes nothing.
func (r *unitRun) watch(ctx context.Context) {
	defer close(r.over)
	for s := r.first; !s.down() && s.Invocation == r.first.Invocation; {
		if s.Text != "" {
			r.u.live(PhaseWarming, s.Text)
		}
		if !sleep(ctx, r.u.config.LookEvery) {
			return
		}
		if now, err := r.u.config.Services.Status(ctx, r.unit); err == nil {
			s = now
		}
	}
}

func (r *unitRun) pid() int              { return r.first.PID }
func (r *unitRun) gone() <-chan struct{} { return r.over }

func (r *unitRun) stop(ctx context.Context) {
	r.u.halt(ctx, r.unit)
	r.leave(ctx)
}

// leave lets the node run on.
func (r *unitRun) leave(context.Context) {
	r.cancel()
	<-r.over
}

// end reads what the node's own user has found out.
func (r *unitRun) end() failure {
	r.cancel()
	conf := r.u.config.Conf
	report, err := r.u.config.Places.readReport(conf.Network, r.first.Invocation)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			r.u.config.Logger.Warn("No reason known for the end of the node", "err", err)
		}
		return failure{class: ClassCrash, text: fmt.Sprintf("The node ended and could not leave a reason; see: journalctl -u %s", r.unit)}
	}
	r.u.mu.Lock()
	r.u.lines = report.Log
	r.u.mu.Unlock()
	return failure{class: report.Class, text: report.Text}
}
