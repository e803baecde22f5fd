package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/snapshot"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/node"
)

// How far a node is that begins from a snapshot.
const (
	SnapshotNone      = "none"
	SnapshotDumping   = "dumping"   // another node writes the file
	SnapshotCopying   = "copying"   // the box copies it to the node, and checks it
	SnapshotWaiting   = "waiting"   // the node has to know the headers first
	SnapshotLoading   = "loading"   // the node reads it
	SnapshotVerifying = "verifying" // the node has begun from it and verifies the history
	SnapshotVerified  = "verified"  // it has
	SnapshotFailed    = "failed"    // the last try; Text says why
)

// SnapshotStatus is whether the node began from a snapshot, and how far that is.
type SnapshotStatus struct {
	State    string
	Text     string // a sentence
	Height   int32  // of the block behind which the node begins, or began
	Verified int32  // with SnapshotVerifying: the history is verified up to this block
	Done     int64  // with SnapshotCopying: bytes
	Total    int64

	Heights []int32 // blocks behind which a node of this network can begin, the newest first
}

// Busy tells whether something is under way, so that nothing else can begin.
func (s SnapshotStatus) Busy() bool {
	return s.Stoppable() || s.State == SnapshotLoading || s.State == SnapshotVerifying
}

// Stoppable tells whether [Appliance.StopSnapshot] ends it.
func (s SnapshotStatus) Stoppable() bool {
	return s.State == SnapshotDumping || s.State == SnapshotCopying || s.State == SnapshotWaiting
}

// Offered tells whether a snapshot can be loaded into a node at height.
func (s SnapshotStatus) Offered(height int32) bool {
	return (s.State == SnapshotNone || s.State == SnapshotFailed) && len(s.Heights) > 0 && height < s.Heights[0]
}

// SnapshotError says why a snapshot is not loaded, for people.
type SnapshotError struct{ Err error }

func (e *SnapshotError) Error() string { return e.Err.Error() }
func (e *SnapshotError) Unwrap() error { return e.Err }

// nodeSnapshot is what the box remembers of a snapshot over restarts.
type nodeSnapshot struct {
	State  string         `json:"state"`
	Text   string         `json:"text"` // with SnapshotFailed
	Height int32          `json:"height"`
	Block  chainhash.Hash `json:"block"`
	Tries  int            `json:"tries"` // how often the node was asked to load it
	Tip    int32          `json:"tip"`   // how far the node has come since
	Actor  string         `json:"actor"`
}

// snapshotKeeper brings a snapshot into the node. Its zero value has none.
type snapshotKeeper struct {
	a      *Appliance
	bases  []snapshot.Base
	orders chan snapshotOrder

	mu   sync.Mutex
	row  nodeSnapshot
	now  SnapshotStatus
	stop context.CancelCauseFunc // of a copy
}

// open reads what there was before the start, and takes away what nobody needs
// of it.
func (k *snapshotKeeper) open(ctx context.Context, a *Appliance) error {
	k.a, k.orders = a, make(chan snapshotOrder, 1)
	if k.bases = a.config.Snapshots; k.bases == nil {
		k.bases = snapshot.Pins(a.network)
	}
	if a.config.External.named() {
		k.bases = nil
	}
	if _, err := a.readSetting(ctx, settingSnapshot, &k.row); err != nil {
		return err
	}
	k.now = SnapshotStatus{State: k.row.State, Text: k.row.Text, Height: k.row.Height}
	switch k.row.State {
	case SnapshotWaiting, SnapshotLoading:
		return nil
	}
	return k.removeCopy()
}

// Snapshot returns whether the node began from a snapshot, and how far that is.
func (a *Appliance) Snapshot() SnapshotStatus {
	k := &a.snapshot
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.now
	if s.State == "" {
		s.State = SnapshotNone
	}
	for _, b := range k.bases {
		s.Heights = append(s.Heights, b.Height)
	}
	return s
}

// SnapshotWish asks for a snapshot to be loaded. The caller has made sure that the
// operator is who they say.
type SnapshotWish struct {
	File      string        // its path on this machine; or
	Node      *SnapshotNode // who is to write one
	Actor, IP string
}

// object is what the audit log calls it.
func (w SnapshotWish) object() string {
	if w.Node != nil {
		return w.Node.URL
	}
	return w.File
}

// LoadSnapshot looks at a snapshot, begins to bring it into the node, and returns;
// [Appliance.Snapshot] tells how it goes. An error for people is a [*SnapshotError].
func (a *Appliance) LoadSnapshot(ctx context.Context, w SnapshotWish) error {
	k := &a.snapshot
	undo, err := k.begin()
	if err != nil {
		return k.refuse(ctx, w, err)
	}
	o := snapshotOrder{wish: w}
	if err = k.admit(ctx); err == nil {
		if w.Node != nil {
			err = k.inspectNode(ctx, &o)
		} else {
			err = k.inspectFile(ctx, &o)
		}
	}
	if err != nil {
		undo()
		return k.refuse(ctx, w, err)
	}
	entry := AuditEntry{Actor: w.Actor, Action: "snapshot.load", Object: w.object(), Result: "ok", IP: w.IP}
	if err := a.Audit(ctx, entry); err != nil {
		undo()
		return errors.Join(err, o.close())
	}
	k.orders <- o // begin has made sure that there is room
	return nil
}

// StopSnapshot ends what was begun, as long as the node has not been given the
// file. The error for people is a [*SnapshotError].
func (a *Appliance) StopSnapshot(ctx context.Context, actor, ip string) error {
	k := &a.snapshot
	k.mu.Lock()
	state, stop := k.now.State, k.stop
	k.mu.Unlock()
	entry := AuditEntry{Actor: actor, Action: "snapshot.stop", Result: "ok", IP: ip}
	switch {
	case state == SnapshotLoading:
		return &SnapshotError{errors.New("the node is reading the snapshot, which cannot be stopped; wait for it")}
	case stop != nil:
		if err := a.Audit(ctx, entry); err != nil {
			return err
		}
		stop(errors.New("it was stopped by " + actor))
	case k.take(SnapshotWaiting, SnapshotNone):
		if err := k.become(ctx, nodeSnapshot{State: SnapshotNone}, "", entry); err != nil {
			return err
		}
		return k.removeCopy()
	}
	return nil
}

// begin takes the keeper for one snapshot, if it is free; undo gives it back.
func (k *snapshotKeeper) begin() (undo func(), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.a.config.External.named():
		return nil, errors.New("this box uses a node that somebody else runs (--node-url), which is never changed from here; load the snapshot there, with loadtxoutset")
	case len(k.bases) == 0:
		return nil, fmt.Errorf("no node can begin from a snapshot on %s", k.a.network)
	case k.now.State == SnapshotVerifying, k.now.State == SnapshotVerified:
		return nil, errors.New("the node has begun from a snapshot already")
	case k.now.Busy():
		return nil, errors.New("a snapshot is on its way already; wait for it, or stop it first")
	}
	before := k.now
	k.now = SnapshotStatus{State: SnapshotCopying, Text: "The snapshot is being looked at."}
	return func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.now = before
	}, nil
}

// leastPrune is what a node keeps of blocks for its two chainstates, in MiB;
// below that it would exceed what it was told.
const leastPrune = 1100

// admit tells whether the node can begin from a snapshot at all.
func (k *snapshotKeeper) admit(ctx context.Context) error {
	if !k.a.nodeIsReady() {
		return errors.New("the node does not answer yet; it has to run first")
	}
	conf, err := k.a.nodeConf(ctx)
	if err != nil {
		return err
	}
	if conf.PruneMiB > 0 && conf.PruneMiB < leastPrune {
		return fmt.Errorf("the node is to keep only %d MiB of blocks, and one that begins from a snapshot needs %d", conf.PruneMiB, leastPrune)
	}
	states, err := k.a.node.Chainstates(ctx)
	if err != nil {
		return fmt.Errorf("ask the node for its chain: %w", err)
	}
	if i := slices.IndexFunc(states, func(c node.Chainstate) bool { return c.Snapshot != chainhash.Hash{} }); i >= 0 {
		return errors.New("the node has begun from a snapshot already")
	}
	if at := states[len(states)-1].Blocks; at >= k.bases[0].Height {
		return fmt.Errorf("the node is at block %d already, behind every snapshot that is known, so none would help it", at)
	}
	return nil
}

// fits tells whether a snapshot of a base, which has so many bytes, helps this node and
// finds room beside it.
func (k *snapshotKeeper) fits(ctx context.Context, base snapshot.Base, bytes int64) error {
	chain, err := k.a.node.BlockchainInfo(ctx)
	if err != nil {
		return fmt.Errorf("ask the node for its chain: %w", err)
	}
	if chain.Blocks >= base.Height {
		return fmt.Errorf("the node is at block %d already, and the snapshot is of block %d, so it would not help", chain.Blocks, base.Height)
	}
	if err := k.known(ctx, base); err != nil {
		return err
	}
	_, coins := bitcoind.ChainSize(k.a.network)
	if err := k.room("the node", k.a.nodeDisk(k.a.network), 2*coins+bytes, "for the file, and for the coins twice"); err != nil {
		return err
	}
	return k.room("the box", k.dir(), bytes, "for the file") // which may be another disk
}

// room refuses what leaves a disk with less than it needs.
func (k *snapshotKeeper) room(whose, folder string, bytes int64, what string) error {
	m, err := bitcoind.Survey(folder)
	if err != nil {
		return err
	}
	need := bytes + bitcoind.LimitsOf(k.a.network, m.DiskTotal).Alarm
	if m.DiskFree < need {
		return fmt.Errorf("the disk of %s has %s left, and for a while %s are needed: %s", whose, size(m.DiskFree), size(need), what)
	}
	return nil
}

// known asks the node whether its program takes a snapshot of that base: which ones
// it takes depends on its version.
func (k *snapshotKeeper) known(ctx context.Context, base snapshot.Base) error {
	if err := os.MkdirAll(k.dir(), 0o750); err != nil {
		return err
	}
	probe := filepath.Join(k.dir(), "probe")
	if err := os.WriteFile(probe, snapshot.Probe(k.a.network).Bytes(), 0o640); err != nil {
		return err
	}
	heights, err := k.a.node.SnapshotHeights(ctx, probe)
	err = errors.Join(err, os.Remove(probe))
	if err != nil {
		return fmt.Errorf("ask the node which snapshots it takes: %w", err)
	}
	if heights != nil && !slices.Contains(heights, base.Height) {
		return fmt.Errorf("the snapshot is of block %d, and the version of the node that is in use takes those of the blocks %v; get a newer Bitcoin Core first", base.Height, heights)
	}
	return nil
}

// refuse notes a wish that is not granted.
func (k *snapshotKeeper) refuse(ctx context.Context, w SnapshotWish, why error) error {
	entry := AuditEntry{Actor: w.Actor, Action: "snapshot.load", Object: w.object(), Result: why.Error(), IP: w.IP}
	if err := k.a.Audit(ctx, entry); err != nil {
		return err
	}
	return &SnapshotError{why}
}

// say shows what is done now.
func (k *snapshotKeeper) say(state, text string) {
	k.mu.Lock()
	changed := k.now.State != state || k.now.Text != text
	k.now.State, k.now.Text = state, text
	k.mu.Unlock()
	if changed {
		k.tell(text)
	}
}

// tell wakes the pages.
func (k *snapshotKeeper) tell(text string) {
	k.a.events.Publish(pool.Event{Kind: "snapshot", At: time.Now(), Text: text})
}

// take goes from one state to another, unless somebody else was faster.
func (k *snapshotKeeper) take(from, to string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.row.State != from {
		return false
	}
	k.row.State, k.now.State = to, to
	return true
}

// become remembers and shows a state, with what the audit log says of it.
func (k *snapshotKeeper) become(ctx context.Context, row nodeSnapshot, text string, entries ...AuditEntry) error {
	ctx = context.WithoutCancel(ctx)
	err := k.a.db.Update(ctx, func(tx *sql.Tx) error {
		for _, entry := range entries {
			if err := writeAudit(ctx, tx, entry); err != nil {
				return err
			}
		}
		return writeSetting(ctx, tx, settingSnapshot, row, time.Now())
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.row = row
	k.now = SnapshotStatus{State: row.State, Height: row.Height, Text: text}
	k.mu.Unlock()
	k.tell(text)
	return nil
}

// dir is where the node reads the copy. What the operator names may be out of its
// reach, or a stick that is pulled out.
func (k *snapshotKeeper) dir() string  { return k.a.snapshotDir() }
func (k *snapshotKeeper) file() string { return filepath.Join(k.dir(), "utxo.dat") }

// removeCopy deletes the box's own copy, which nobody needs once it is loaded.
func (k *snapshotKeeper) removeCopy() error {
	if err := os.RemoveAll(k.dir()); err != nil {
		return fmt.Errorf("delete the copy of the snapshot: %w", err)
	}
	return nil
}
