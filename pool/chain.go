package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
)

// sweepEvery is how often all unfinished blocks are compared with the chain
// when nothing wakes the chain loop.
const sweepEvery = 30 * time.Second

// sweep says how much of the unfinished blocks a pass looks at.
type sweep uint8

const (
	sweepDue sweep = iota // those whose state can change by one more block
	sweepAll              // every one: after a reorganisation, at start, now and then
)

// wakeChain asks the chain loop for a pass; a wider request replaces a
// narrower one that is still waiting.
func (p *Pool) wakeChain(s sweep) {
	select {
	case p.chain <- s:
		return
	default:
	}
	if s == sweepAll {
		select {
		case <-p.chain:
		default:
		}
		select {
		case p.chain <- s:
		default:
		}
	}
}

// followChain keeps the ledger's blocks in step with the node's chain until ctx
// ends.
func (p *Pool) followChain(ctx context.Context) error {
	ticker := time.NewTicker(sweepEvery)
	defer ticker.Stop()
	wanted := sweepAll
	for {
		if err := p.followOnce(ctx, wanted); err != nil && ctx.Err() == nil && !node.Unavailable(err) {
			p.Logger.Warn("Blocks not compared with the chain", "err", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case wanted = <-p.chain:
		case <-ticker.C:
			wanted = sweepAll
		}
	}
}

// CheckBlocks compares every unfinished block with the node's chain and books
// what follows. The scheduled block check calls it; the chain loop does the
// same on each new tip.
func (p *Pool) CheckBlocks(ctx context.Context) error {
	return p.followOnce(ctx, sweepAll)
}

// followOnce is one pass. A node that is behind the height it had already
// reached is no witness against a block: it gets our blocks again, and no money
// moves (money.md 0, points 3 and 4). Nor is one on another chain.
func (p *Pool) followOnce(ctx context.Context, wanted sweep) error {
	select {
	case p.turn <- struct{}{}: // one pass at a time: what a slow one saw must not overtake a later one
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := p.Node.Vouch(ctx); err != nil {
		return fmt.Errorf("trust the node: %w", err)
	}
	reached, err := p.Ledger.Reached(ctx)
	if err != nil {
		return fmt.Errorf("read reached height: %w", err)
	}
	info, err := p.Node.BlockchainInfo(ctx)
	if err != nil {
		return fmt.Errorf("ask for the chain: %w", err)
	}
	if info.Blocks < reached {
		var wait bool
		if info, wait, err = p.giveBack(ctx, info, reached); err != nil || wait {
			return err
		}
		wanted = sweepAll
	}
	fell := info.Blocks < reached
	_, hash, followed, err := p.Ledger.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("read chain cursor: %w", err)
	}
	if followed && wanted == sweepDue {
		if h, err := p.Node.Header(ctx, hash); err != nil || h.Confirmations < 1 {
			wanted = sweepAll // the tip that we knew is no longer in the chain
		}
	}
	blocks, err := p.Ledger.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("read unfinished blocks: %w", err)
	}
	var errs []error // each about one block, which does not stop the others
	for _, block := range blocks {
		if wanted == sweepDue && !p.due(block, info.Blocks) {
			continue
		}
		err := p.checkBlock(ctx, block, info)
		if err != nil {
			errs = append(errs, fmt.Errorf("check block %s: %w", block.Hash, err))
		}
		if node.Unavailable(err) {
			return errors.Join(errs...)
		}
	}
	switch {
	case fell && p.privateChain() && p.behind(ctx, info.Blocks): // nobody else has what is above
		if err := p.Ledger.LoseAbove(ctx, info.Blocks, info.BestBlockHash); err != nil {
			errs = append(errs, fmt.Errorf("give up blocks: %w", err))
		}
	case !followed || info.BestBlockHash != hash:
		if err := p.Ledger.SetCursor(ctx, info.Blocks, info.BestBlockHash); err != nil {
			errs = append(errs, fmt.Errorf("move chain cursor: %w", err))
		}
	}
	p.offerHeld(ctx, info)
	return errors.Join(errs...)
}

// due tells whether one more block in the chain can change this block's state.
func (p *Pool) due(block ledger.Block, tip int32) bool {
	if block.Lost {
		return false
	}
	if block.State == ledger.StateAccepted {
		return tip-block.Height+1 >= p.Maturity
	}
	return block.State != ledger.StateMature && block.State != ledger.StateOrphaned
}

// checkBlock reads one block's header from the node and lets the ledger draw
// the consequence.
func (p *Pool) checkBlock(ctx context.Context, block ledger.Block, info node.ChainInfo) error {
	seen := ledger.Observation{Known: true, Maturity: p.Maturity}
	header, err := p.Node.Header(ctx, block.Hash)
	code, _ := node.Code(err)
	var failed error
	switch {
	case err == nil:
		seen.Confirmations = header.Confirmations
	case code == node.ErrCodeNotFound:
		seen.Known = false
	default:
		return fmt.Errorf("ask for header: %w", err)
	}
	if !seen.Known && len(block.Raw) > 0 && !info.InitialBlockDownload && block.State != ledger.StateRejected && p.canTake(ctx, block) {
		if failed = p.submitAgain(ctx, block); node.Unavailable(failed) {
			return failed
		}
		if header, err = p.Node.Header(ctx, block.Hash); err == nil {
			seen.Known, seen.Confirmations = true, header.Confirmations
		}
	}
	change, err := p.Ledger.Observe(ctx, block.Hash, seen)
	if err != nil {
		return fmt.Errorf("book: %w", err)
	}
	if change.From != change.To {
		p.Logger.Info("Block changed state", "height", block.Height, "hash", block.Hash, "from", change.From, "to", change.To)
		p.Events.Publish(Event{
			Kind: "block-state", At: time.Now(), Height: block.Height, Hash: block.Hash.String(),
			Address: block.Address, Worker: block.Worker, State: string(change.To), Amount: block.Value,
		})
	}
	return failed
}

// canTake tells whether it makes sense to submit a block again: one that was lost for
// good with those below it waits until the node has its parent.
func (p *Pool) canTake(ctx context.Context, block ledger.Block) bool {
	if !block.Lost {
		return true
	}
	_, err := p.Node.Header(ctx, block.Prev)
	return err == nil
}

// submitAgain offers a block that the node does not know. One that cannot even be
// submitted, because what is stored of it is damaged, stays one that it does not
// know.
func (p *Pool) submitAgain(ctx context.Context, block ledger.Block) error {
	result, err := p.Node.SubmitBlock(ctx, block.Raw)
	if err != nil {
		return fmt.Errorf("submit again: %w", err)
	}
	p.Logger.Warn("Block submitted again", "height", block.Height, "hash", block.Hash, "answer", result)
	if err := p.Ledger.RecordSubmit(ctx, block.Hash, result); err != nil {
		return fmt.Errorf("record answer: %w", err)
	}
	return nil
}
