package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/release"
	"github.com/dmpool/dmpool/appliance/drill"
	"github.com/dmpool/dmpool/pool"
)

// DrillError says why there is no fire drill now, for people.
type DrillError struct{ Err error }

func (e *DrillError) Error() string { return e.Err.Error() }
func (e *DrillError) Unwrap() error { return e.Err }

// DrillGround makes sure that a fire drill has room beside the box of a data
// directory, which need not run nor be there, and returns the path of the node's
// program: program when that is given, or else the one that the box has.
func DrillGround(dir, program string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("data directory %s cannot be made: %w; choose another with --data-dir", dir, errors.Unwrap(err))
	}
	d := dataDir{dir}
	network, err := d.chosenNetwork("")
	if err != nil {
		return "", err
	}
	if err := drill.Room(dir, network); err != nil {
		return "", err
	}
	if program != "" {
		return bitcoind.Find(program)
	}
	for _, folder := range []release.Folder{{Root: d.core()}, {Root: bitcoind.Places{}.Core()}} {
		if v, err := folder.Current(); err == nil && !v.IsZero() {
			return folder.Path(), nil
		}
	}
	return bitcoind.Find("")
}

// drillKeeper runs the fire drills that operators ask for, one at a time.
type drillKeeper struct {
	a      *Appliance
	folder drill.Folder
	orders chan drillOrder
	mine   string // path of this program

	mu      sync.Mutex
	busy    bool   // one is ordered, or runs
	problem string // why the last one left no report: a sentence, empty when it did
}

// drillOrder is a wish for a drill, and who has it.
type drillOrder struct{ bitcoind, actor, ip string }

func newDrillKeeper(a *Appliance) (*drillKeeper, error) {
	mine, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	return &drillKeeper{a: a, folder: drill.In(a.dir.root), orders: make(chan drillOrder, 1), mine: mine}, nil
}

// run does the drills that are ordered, until ctx ends. It begins by clearing up after
// one that was cut off.
func (k *drillKeeper) run(ctx context.Context) {
	if err := k.folder.Sweep(); err != nil {
		k.a.log.Warn("Fire drill not cleared up", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-k.orders:
			k.do(ctx, o)
		}
	}
}

func (k *drillKeeper) do(ctx context.Context, o drillOrder) {
	began := time.Now()
	k.a.log.Info("Fire drill begins", "operator", o.actor)
	err := drill.Start(ctx, drill.Command{
		Program: k.mine, DataDir: k.a.dir.root, Bitcoind: o.bitcoind, Progress: func() { k.tell("") },
	})
	entry := AuditEntry{Actor: "box", Action: "drill.done", IP: o.ip}
	switch r, left := k.newest(began); {
	case left:
		entry.Object, entry.Result = r.ID, r.Verdict
	case err == nil:
		err = errors.New("the drill left no report")
		fallthrough
	default:
		entry.Result = err.Error()
	}
	k.a.log.Info("Fire drill ended", "report", entry.Object, "result", entry.Result)
	if err := k.a.Audit(ctx, entry); err != nil {
		k.a.log.Error("Audit entry not written", "action", entry.Action, "err", err)
	}
	k.mu.Lock() // last: who sees the drill ended finds all that came of it
	k.busy, k.problem = false, ""
	if err != nil {
		k.problem = "The fire drill did not begin, or left no report: " + err.Error() + "."
	}
	k.mu.Unlock()
	k.tell(entry.Result)
}

// newest returns the report of a drill that has begun since.
func (k *drillKeeper) newest(since time.Time) (r drill.Report, left bool) {
	list, err := k.folder.Reports()
	if err != nil || len(list) == 0 || list[0].Began.Before(since.Truncate(time.Second)) {
		return r, false
	}
	return list[0], true
}

// tell wakes the pages.
func (k *drillKeeper) tell(text string) {
	k.a.events.Publish(pool.Event{Kind: "drill", At: time.Now(), Text: text})
}

// StartDrill begins a fire drill beside the pool and returns; [Appliance.Drills] tells
// how it goes. An error for people is a [*DrillError].
func (a *Appliance) StartDrill(ctx context.Context, actor, ip string) error {
	k := a.drills
	o := drillOrder{actor: actor, ip: ip}
	program, err := a.admitDrill(ctx)
	o.bitcoind = program
	if err == nil && !k.begin() {
		err = drill.ErrBusy
	}
	if err != nil {
		if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "drill.start", Result: err.Error(), IP: ip}); err != nil {
			return err
		}
		return &DrillError{err}
	}
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "drill.start", Result: "ok", IP: ip}); err != nil {
		k.giveUp()
		return err
	}
	k.orders <- o // begin has made sure that there is room
	k.tell("")
	return nil
}

// admitDrill returns the node's program for a drill, or why there can be none now.
func (a *Appliance) admitDrill(ctx context.Context) (string, error) {
	if a.drills.folder.Taken() {
		return "", drill.ErrBusy
	}
	if err := drill.Room(a.dir.root, a.network); err != nil {
		return "", err
	}
	program, err := a.core.locate(ctx)
	if errors.Is(err, bitcoind.ErrNotFound) {
		return "", errors.New("a fire drill needs a Bitcoin node's program on this machine, and there is none; get Bitcoin Core on the node page")
	}
	if err != nil {
		return "", err
	}
	return filepath.Abs(program)
}

// begin takes the keeper for a drill, if it is free.
func (k *drillKeeper) begin() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.busy {
		return false
	}
	k.busy, k.problem = true, ""
	return true
}

func (k *drillKeeper) giveUp() {
	k.mu.Lock()
	k.busy = false
	k.mu.Unlock()
}

// Drills is what the box knows of fire drills.
type Drills struct {
	Busy    bool           // one runs, or is about to begin
	Now     *drill.Report  // of the one that runs; nil when none does, or it has just begun
	Last    []drill.Report // those that have ended, the newest first
	Problem string         // why the last one left no report, empty when it did
}

// Drills returns the fire drills of this box, also those that were begun by
// `dmpool drill`.
func (a *Appliance) Drills() (d Drills, err error) {
	k := a.drills
	k.mu.Lock()
	d.Busy, d.Problem = k.busy, k.problem
	k.mu.Unlock()
	if now, runs := k.folder.Running(); runs {
		d.Now, d.Busy = &now, true
	}
	d.Last, err = k.folder.Reports()
	return d, err
}

// DrillReport returns the report of one that has ended, or [drill.ErrNoReport].
func (a *Appliance) DrillReport(id string) (drill.Report, error) { return a.drills.folder.Report(id) }
