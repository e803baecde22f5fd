package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/cpuminer"
	"github.com/dmpool/dmpool/pool/ledger"
)

// hashrate finds a block in half a second on average, and cannot be felt.
const hashrate = 4

// miner is a miner who goes home when a share was accepted.
type miner struct {
	*cpuminer.Miner
	rest  context.CancelFunc
	ended chan error
}

// send sends one of the miners to work.
func (r *run) send(ctx context.Context, who int) error {
	// It goes home when it is told to, so that nobody but stop has to wait for it.
	ctx, rest := context.WithCancel(context.WithoutCancel(ctx))
	m, err := cpuminer.New(cpuminer.Config{
		URL: r.box.url, User: fmt.Sprintf("%s.drill%d", r.addresses[who], who+1), Password: "x",
		Threads: 1, MaxHashrate: hashrate,
		OnShare: func(accepted bool, _ string) {
			if accepted {
				rest()
			}
		},
	})
	if err != nil {
		rest()
		return err
	}
	r.miner = &miner{Miner: m, rest: rest, ended: make(chan error, 1)}
	go func() { r.miner.ended <- m.Run(ctx) }()
	return nil
}

// stop sends the miner home, if there is one.
func (m *miner) stop() error {
	if m == nil || m.rest == nil {
		return nil
	}
	m.rest()
	m.rest = nil
	return <-m.ended
}

func (r *run) giveJob(ctx context.Context) (string, error) {
	if err := r.send(ctx, 0); err != nil {
		return "", err
	}
	if err := r.box.await(ctx, "the miner works", func() (bool, error) { return r.miner.Stats().Hashes > 0, nil }); err != nil {
		return "", err
	}
	return "A miner has connected over Stratum, and works on what the pool has given to it.", nil
}

func (r *run) takeShare(ctx context.Context) (string, error) {
	if err := r.accepted(ctx); err != nil {
		return "", err
	}
	kept := int64(0)
	err := r.box.await(ctx, "the share is in the share log", func() (bool, error) {
		totals, err := r.box.Shares().Totals(ctx, r.addresses[0], time.Now())
		kept = totals.Accepted
		return kept > 0, err
	})
	if err != nil {
		return "", err
	}
	return "The miner's share was answered with yes, and is on the disk.", nil
}

// accepted waits for a share of the miner's, who goes home then.
func (r *run) accepted(ctx context.Context) error {
	err := r.box.await(ctx, "a share is accepted", func() (bool, error) { return r.miner.Stats().Accepted > 0, nil })
	if err != nil {
		s := r.miner.Stats()
		return fmt.Errorf("%w: the miner has tried %d hashes, and %d shares of it were refused", err, s.Hashes, s.Rejected)
	}
	return r.miner.stop()
}

func (r *run) takeBlock(ctx context.Context) (seen string, err error) {
	if r.lost, err = r.awaitBlock(ctx); err != nil {
		return "", err
	}
	return fmt.Sprintf("Block %d is in the chain, and the books share out its %d sat.", r.lost.Height, r.lost.Value), nil
}

func (r *run) takeAnother(ctx context.Context) (seen string, err error) {
	if r.won, err = r.find(ctx, 1); err != nil {
		return "", err
	}
	return fmt.Sprintf("Another miner has found block %d, on the longer chain. The books share out its %d sat.", r.won.Height, r.won.Value), nil
}

// find has one of the miners find a block.
func (r *run) find(ctx context.Context, who int) (b ledger.Block, err error) {
	if err := r.box.awaitTip(ctx); err != nil {
		return b, err
	}
	if err := r.send(ctx, who); err != nil {
		return b, err
	}
	if err := r.accepted(ctx); err != nil {
		return b, err
	}
	return r.awaitBlock(ctx)
}

// awaitBlock waits until what the pool found last is in the chain and in the books,
// and compares what the two say. Should the miner have found more than one block before
// it went home, it is the lowest.
func (r *run) awaitBlock(ctx context.Context) (b ledger.Block, err error) {
	states := ""
	var value, fee int64 // of all that are in the chain and not mature
	err = r.box.await(ctx, "the block is in the books", func() (bool, error) {
		blocks, err := r.box.Ledger().Blocks(ctx, maxBlocks, 0)
		states, value, fee = "", 0, 0
		for _, one := range blocks { // the newest first
			states += fmt.Sprintf(" %d %s;", one.Height, one.State)
			switch {
			case one.State == ledger.StateAccepted && one.Frozen:
				b = one
				value += one.Value
				fee += one.Fee
			case one.State != ledger.StateMature && one.State != ledger.StateOrphaned && one.State != ledger.StateStale:
				return false, nil // under way
			}
		}
		return value > 0, err
	})
	if err != nil {
		return b, fmt.Errorf("%w:%s", err, states)
	}
	header, err := r.box.NodeClient().Header(ctx, b.Hash)
	if err != nil {
		return b, fmt.Errorf("ask the node for the block: %w", err)
	}
	sums, err := r.box.Ledger().Sums(ctx)
	switch {
	case err != nil:
		return b, err
	case header.Confirmations < 1:
		return b, errors.New("the books say that the block is in the chain, and the node does not")
	case sums.Immature != value || sums.Pending != value-fee:
		return b, fmt.Errorf("blocks over %d sat, less a fee of %d sat, make %d sat in the wallet and %d sat for miners", value, fee, sums.Immature, sums.Pending)
	}
	return b, nil
}

// maxBlocks is far more than a drill finds.
const maxBlocks = 50
