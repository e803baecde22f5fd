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
	info, err := p.Node.BlockchainInfo(ctx)
	if err != nil {
		return fmt.Errorf("ask for the chain: %w", err)
	}
	height, hash, followed, err := p.Ledger.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("read chain cursor: %w", err)
	}
	if followed && info.Blocks < height {
		return p.giveBack(ctx, info, height)
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
	if !followed || info.BestBlockHash != hash {
		if err := p.Ledger.SetCursor(ctx, info.Blocks, info.BestBlockHash); err != nil {
			errs = append(errs, fmt.Errorf("move chain cursor: %w", err))
		}
	}
	return errors.Join(errs...)
}

// due tells whether one more block in the chain can change this block's state.
func (p *Pool) due(block ledger.Block, tip int32) bool {
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
	switch {
	case err == nil:
		seen.Confirmations = header.Confirmations
	case code == node.ErrCodeNotFound:
		seen.Known = false
	default:
		return fmt.Errorf("ask for header: %w", err)
	}
	if !seen.Known && len(block.Raw) > 0 && !info.InitialBlockDownload && block.State != ledger.StateRejected {
		result, err := p.Node.SubmitBlock(ctx, block.Raw)
		if err != nil {
			return fmt.Errorf("submit again: %w", err)
		}
		p.Logger.Warn("Block submitted again", "height", block.Height, "hash", block.Hash, "answer", result)
		if err := p.Ledger.RecordSubmit(ctx, block.Hash, result); err != nil {
			return fmt.Errorf("record answer: %w", err)
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
	return nil
}

// nodeBehind tells whether the node's tip lies below the height that the ledger
// has already seen.
func (p *Pool) nodeBehind(ctx context.Context, height int32) bool {
	reached, _, followed, err := p.Ledger.Cursor(ctx)
	return err == nil && followed && height < reached
}

// giveBack submits our own blocks above the node's height again, lowest first.
// A node forgets blocks that it had not flushed when it was killed; on a chain
// with few peers nobody else has them (appliance.md 1.6).
func (p *Pool) giveBack(ctx context.Context, info node.ChainInfo, reached int32) error {
	blocks, err := p.Ledger.Above(ctx, info.Blocks)
	if err != nil {
		return fmt.Errorf("read own blocks: %w", err)
	}
	for _, block := range blocks {
		if len(block.Raw) == 0 {
			continue // so deep that its bytes were dropped: the node's peers have it
		}
		result, err := p.Node.SubmitBlock(ctx, block.Raw)
		if node.Unavailable(err) {
			return fmt.Errorf("submit block %s again: %w", block.Hash, err)
		}
		p.Logger.Debug("Block given back", "height", block.Height, "hash", block.Hash, "answer", result, "err", err)
	}
	after, err := p.Node.BlockchainInfo(ctx)
	if err != nil {
		return fmt.Errorf("ask for the chain: %w", err)
	}
	p.Logger.Warn("Node was behind", "height", info.Blocks, "own_blocks", len(blocks), "now", after.Blocks)
	if after.Blocks >= reached || !p.privateChain() {
		return nil
	}
	if after.InitialBlockDownload && after.Headers > after.Blocks {
		return nil // it still reads its own block files: what is missing may come
	}
	// Nobody else has this chain, so what is missing now stays missing. Mining
	// goes on from here; blocks above keep their state, and their money, until
	// their headers are known again.
	p.Logger.Error("Private chain lost blocks for good", "height", after.Blocks, "was", reached)
	if err := p.Ledger.SetCursor(ctx, after.Blocks, after.BestBlockHash); err != nil {
		return fmt.Errorf("move chain cursor back: %w", err)
	}
	p.wakeChain(sweepAll) // some of them may be known, and off the chain
	p.offerAgain()
	return nil
}

// privateChain tells whether the chain lives on this box alone.
func (p *Pool) privateChain() bool {
	return p.Network == "practice" || p.Network == "regtest"
}
