package appliance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind/snapshot"
	"github.com/dmpool/dmpool/pool/node"
)

// snapshotOrder is a wish that was looked at.
type snapshotOrder struct {
	wish   SnapshotWish
	base   snapshot.Base
	file   *os.File     // with a file
	client *node.Client // with a node, which writes
	path   string       // to there
}

func (o *snapshotOrder) close() error {
	if o.client != nil {
		o.client.CloseIdle()
	}
	if o.file != nil {
		return o.file.Close()
	}
	return nil
}

const (
	// snapshotEvery is how often the node is asked how far it is.
	snapshotEvery = 2 * time.Second
	// snapshotTries is how often the node may end while it reads one snapshot.
	snapshotTries = 3
	// snapshotStep is by how many blocks the node gets on before that is remembered.
	snapshotStep = 144
)

// run does what is ordered, and follows the node until it has verified the
// history, until ctx ends.
func (k *snapshotKeeper) run(ctx context.Context) error {
	tick := time.NewTicker(snapshotEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-k.orders:
			if err := k.fetch(ctx, o); err != nil {
				k.give(ctx, nodeSnapshot{Actor: o.wish.Actor}, err)
			}
		case <-tick.C:
		}
		if !k.a.nodeIsReady() {
			continue
		}
		if err := k.advance(ctx); err != nil && ctx.Err() == nil {
			k.a.log.Warn("Snapshot not followed", "err", err)
		}
	}
}

// fetch brings the file to where the node reads it.
func (k *snapshotKeeper) fetch(ctx context.Context, o snapshotOrder) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	k.mu.Lock()
	k.stop = stop
	k.mu.Unlock()
	defer func() {
		k.mu.Lock()
		k.stop = nil
		k.mu.Unlock()
		err = errors.Join(err, o.close())
	}()
	if o.client != nil {
		if err := k.dump(ctx, &o); err != nil {
			return err
		}
	}
	k.say(SnapshotCopying, fmt.Sprintf("The snapshot of block %d is copied to the node, and every coin in it is looked at.", o.base.Height))
	base, err := k.copyChecked(ctx, o.file)
	if err != nil {
		return err
	}
	row := nodeSnapshot{State: SnapshotWaiting, Height: base.Height, Block: base.Block, Actor: o.wish.Actor}
	return k.become(ctx, row, "The snapshot is whole and waits for the node.")
}

// give shows and notes that it came to nothing. The copy is gone then.
func (k *snapshotKeeper) give(ctx context.Context, row nodeSnapshot, why error) {
	if ctx.Err() != nil {
		why = errors.New("the box was stopped meanwhile; begin once more")
	}
	row.State, row.Text = SnapshotFailed, fmt.Sprintf("The node did not begin from the snapshot: %v.", why)
	k.a.log.Warn("Snapshot not loaded", "height", row.Height, "err", why)
	err := errors.Join(k.become(ctx, row, row.Text, outcome(row, why.Error())), k.removeCopy())
	if err != nil {
		k.a.log.Error("End of a snapshot not noted", "err", err)
	}
}

// outcome is what the audit log says of the end of a wish.
func outcome(row nodeSnapshot, result string) AuditEntry {
	entry := AuditEntry{Actor: row.Actor, Action: "snapshot.load.done", Result: result}
	if row.Height > 0 {
		entry.Object = fmt.Sprintf("block %d", row.Height)
	}
	return entry
}

// advance does the next step, if the node is there for it.
func (k *snapshotKeeper) advance(ctx context.Context) error {
	k.mu.Lock()
	row := k.row
	k.mu.Unlock()
	switch row.State {
	case SnapshotWaiting:
		return k.await(ctx, row)
	case SnapshotLoading:
		return k.load(ctx, row)
	case SnapshotVerifying:
		return k.follow(ctx, row)
	}
	return nil
}

// await has the node begin as soon as it knows the header of the snapshot's block.
func (k *snapshotKeeper) await(ctx context.Context, row nodeSnapshot) error {
	chain, err := k.a.node.BlockchainInfo(ctx)
	if err != nil {
		return err
	}
	if chain.Blocks >= row.Height {
		k.give(ctx, row, fmt.Errorf("it has come to block %d by itself meanwhile", chain.Blocks))
		return nil
	}
	_, err = k.a.node.Header(ctx, row.Block)
	if node.IsCode(err, node.ErrCodeNotFound) {
		k.say(SnapshotWaiting, fmt.Sprintf("The snapshot is whole and waits until the node knows the headers up to block %d; it knows %d.", row.Height, chain.Headers))
		return nil
	}
	if err != nil {
		return err
	}
	if !k.take(SnapshotWaiting, SnapshotLoading) {
		return nil
	}
	row.State = SnapshotLoading
	if err := k.become(ctx, row, ""); err != nil {
		return err
	}
	return k.load(ctx, row)
}

// load has the node read the snapshot. After a restart of either side the node is
// asked first: it may have it, or still be reading.
func (k *snapshotKeeper) load(ctx context.Context, row nodeSnapshot) error {
	states, err := k.a.node.Chainstates(ctx)
	if err != nil {
		return err
	}
	if _, began := begunFrom(states, row.Block); began {
		return k.begun(ctx, row)
	}
	k.say(SnapshotLoading, fmt.Sprintf("The node reads the snapshot of block %d. That can take long; nothing has to be done meanwhile.", row.Height))
	if reading, err := k.a.node.Working(ctx, "loadtxoutset"); err != nil || reading {
		return err
	}
	if row.Tries >= snapshotTries {
		k.give(ctx, row, fmt.Errorf("it ended %d times while it read it; its log says why", row.Tries))
		return nil
	}
	row.Tries++
	if err := k.become(ctx, row, k.a.Snapshot().Text); err != nil {
		return err
	}
	switch err := k.a.node.LoadSnapshot(ctx, k.file()); {
	case err == nil:
		return k.begun(ctx, row)
	case node.Unavailable(err):
		return err // the next look finds out what became of it
	default:
		k.give(ctx, row, errors.New(strings.TrimSuffix(node.Sentence(err), ".")))
		return nil
	}
}

// begun notes that the node works with the snapshot. The copy is not needed more.
func (k *snapshotKeeper) begun(ctx context.Context, row nodeSnapshot) error {
	row.State, row.Tip = SnapshotVerifying, row.Height
	if err := k.become(ctx, row, verifying(row.Height, 0), outcome(row, "ok")); err != nil {
		return err
	}
	k.a.log.Info("Node began from a snapshot", "height", row.Height, "hash", row.Block)
	return k.removeCopy()
}

// follow shows how much of the history is verified, until it is.
func (k *snapshotKeeper) follow(ctx context.Context, row nodeSnapshot) error {
	states, err := k.a.node.Chainstates(ctx)
	if err != nil {
		return err
	}
	tip := states[len(states)-1].Blocks
	state, began := begunFrom(states, row.Block)
	switch {
	case began && !state.Validated:
		k.mu.Lock()
		k.now.Verified = states[0].Blocks
		k.mu.Unlock()
		k.say(SnapshotVerifying, verifying(row.Height, states[0].Blocks))
		if tip < row.Tip+snapshotStep {
			return nil
		}
		row.Tip = tip
		k.mu.Lock()
		k.row = row
		k.mu.Unlock()
		return k.a.saveSetting(ctx, settingSnapshot, row)
	case began, tip >= row.Tip: // a restart makes it a node like any other
		row.State = SnapshotVerified
		row.Text = fmt.Sprintf("The node began from a snapshot of block %d and has verified all blocks before it: the snapshot was right.", row.Height)
		entry := AuditEntry{Actor: "box", Action: "snapshot.verified", Object: fmt.Sprintf("block %d", row.Height), Result: "ok"}
		return k.become(ctx, row, row.Text, entry)
	}
	row.State = SnapshotFailed
	row.Text = fmt.Sprintf("The node does not use the snapshot of block %d any more and verifies the chain itself, from block %d on: either the history did not lead to these coins, "+
		"or its databases were built anew. Its log says which.", row.Height, tip)
	k.a.log.Error("Node gave its snapshot up", "height", row.Height, "tip", tip)
	entry := AuditEntry{Actor: "box", Action: "snapshot.verified", Object: fmt.Sprintf("block %d", row.Height), Result: "given up"}
	return k.become(ctx, row, row.Text, entry)
}

// unread returns the height up to which no wallet can read the chain, because the
// node, having begun behind it, does not have all of it yet; -1 for any other node.
func (k *snapshotKeeper) unread() int32 {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.row.State == SnapshotVerifying {
		return k.row.Height
	}
	return -1
}

// begunFrom returns the chainstate that began behind a block.
func begunFrom(states []node.Chainstate, block chainhash.Hash) (node.Chainstate, bool) {
	for _, s := range states {
		if s.Snapshot == block {
			return s, true
		}
	}
	return node.Chainstate{}, false
}

// verifying says how much of the history before a block is verified.
func verifying(height, at int32) string {
	return fmt.Sprintf("It began from a snapshot of block %d and verifies the history before that block in the background: block %d, %d %%. Mining does not wait for it.",
		height, at, int64(at)*100/int64(height))
}
