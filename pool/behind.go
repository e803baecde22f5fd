package pool

import (
	"context"
	"errors"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/work"
)

// A node that is killed, or loses its power, comes back without the blocks that
// it had not written yet, and it may be that nobody but us has them (money.md 0,
// point 3; appliance.md 1.6). Until it has them again no template of its leaves
// the pool: a block found on the shorter chain would displace one of ours.

const (
	// behindReason is what miners and pages are told meanwhile.
	behindReason = "the node is behind a height that it had already reached; the pool gives it its own blocks again"
	// noParent is the node's answer to a block whose parent it does not know.
	noParent = "prev-blk-not-found"
)

// behind tells whether a tip lies below what the node had already reached.
func (p *Pool) behind(ctx context.Context, height int32) bool {
	reached, err := p.Ledger.Reached(ctx)
	return err == nil && height < reached
}

// holdBack keeps a template from the miners whose tip the node is behind on, and
// tells whether it did. The chain loop gives the node our blocks; then there is a
// template on a higher tip, or this one is offered again.
func (p *Pool) holdBack(ctx context.Context, t *work.Template, last *serving, newTip bool) bool {
	if !p.behind(ctx, t.Height-1) {
		return false
	}
	p.heldTip.Store(&t.PrevHash)
	// On the tip that the miners have it is as a rule a block of theirs that the
	// node is about to take: no reason to alarm anybody.
	if newTip || last.reason != "" {
		p.pause(last, behindReason)
	}
	p.wakeChain(sweepAll)
	return true
}

// offerHeld offers the template again that was held back, if the node has judged
// all of our blocks and its tip is still the same.
func (p *Pool) offerHeld(ctx context.Context, info node.ChainInfo) {
	tip := p.heldTip.Load()
	if tip != nil && *tip == info.BestBlockHash && !p.behind(ctx, info.Blocks) {
		p.heldTip.CompareAndSwap(tip, nil)
		p.offerAgain()
	}
}

// giveBack submits our own blocks above the node's tip again and returns where
// the node is then, and whether what it lacks may still come. As long as it may,
// the node is no witness against any block.
func (p *Pool) giveBack(ctx context.Context, info node.ChainInfo, reached int32) (after node.ChainInfo, wait bool, err error) {
	blocks, err := p.Ledger.Above(ctx, info.Blocks)
	if err != nil {
		return info, false, fmt.Errorf("read own blocks: %w", err)
	}
	lacks, taken, answers := false, 0, make(map[chainhash.Hash]string, len(blocks))
	for _, block := range blocks {
		answer, err := p.give(ctx, block, answers)
		if err != nil {
			return info, false, fmt.Errorf("submit block %s again: %w", block.Hash, err)
		}
		lacks = lacks || answer == noParent
		if answer == "" {
			taken++
		}
	}
	if after, err = p.Node.BlockchainInfo(ctx); err != nil {
		return info, false, fmt.Errorf("ask for the chain: %w", err)
	}
	if taken > 0 || after.Blocks < reached { // else it was about to take the block that a miner has just found
		p.Logger.Warn("Node was behind", "height", info.Blocks, "reached", reached, "own_blocks", len(blocks), "taken", taken, "now", after.Blocks)
	}
	if after.Blocks >= reached {
		return after, false, nil
	}
	if !lacks {
		if lacks, err = p.lacksCursor(ctx, after); err != nil {
			return after, false, err
		}
	}
	switch connects := after.Headers > after.Blocks; {
	case connects && (after.InitialBlockDownload || !p.privateChain()):
		return after, true, nil // it reads its own block files, or those of its peers
	case lacks && !p.privateChain():
		return after, true, nil // its peers have what is missing, or will have more than that
	case lacks:
		// Nobody else has this chain, so what is missing now stays missing. Mining
		// goes on from here; blocks above keep their money until their headers are
		// known again ([ledger.Ledger.LoseAbove], at the end of the pass).
		p.Logger.Error("Private chain lost blocks for good", "height", after.Blocks, "was", reached)
	}
	return after, false, nil // without those it has everything, and prefers another chain
}

// give submits a block of ours, and before it those of ours that it stands on, as
// far as the node lacks them. It returns the node's answer, and an error when there
// is none. Answers are kept: each block is given once.
func (p *Pool) give(ctx context.Context, block ledger.Block, answers map[chainhash.Hash]string) (string, error) {
	if answer, twice := answers[block.Hash]; twice {
		return answer, nil
	}
	answer, err := noParent, error(nil) // what it stays if it is so deep that its bytes were dropped
	if len(block.Raw) > 0 {
		answer, err = p.Node.SubmitBlock(ctx, block.Raw)
	}
	if err == nil && answer == noParent {
		answer, err = p.giveOnParent(ctx, block, answers)
	}
	if _, refused := node.Code(err); refused && !node.Unavailable(err) {
		answer, err = err.Error(), nil // what is stored of it is damaged
	} else if err == nil && answer != noParent && (block.State == ledger.StateFound || block.State == ledger.StateUnknown) {
		// Without its parent the block was not looked at, which is no answer.
		if err := p.Ledger.RecordSubmit(ctx, block.Hash, answer); err != nil {
			p.Logger.Error("Node's answer not recorded", "height", block.Height, "hash", block.Hash, "err", err)
		}
	}
	p.Logger.Debug("Block given back", "height", block.Height, "hash", block.Hash, "answer", answer, "err", err)
	answers[block.Hash] = answer
	return answer, err
}

// giveOnParent submits a block once more if the node got its parent from us.
func (p *Pool) giveOnParent(ctx context.Context, block ledger.Block, answers map[chainhash.Hash]string) (string, error) {
	parent, err := p.Ledger.Block(ctx, block.Prev)
	if errors.Is(err, ledger.ErrNotFound) || len(block.Raw) == 0 {
		return noParent, nil
	}
	if err != nil {
		return "", err
	}
	if answer, err := p.give(ctx, parent, answers); err != nil || answer == noParent {
		return noParent, err
	}
	return p.Node.SubmitBlock(ctx, block.Raw)
}

// lacksCursor tells whether the node does not know the tip any more up to which
// the chain was followed.
func (p *Pool) lacksCursor(ctx context.Context, info node.ChainInfo) (bool, error) {
	height, hash, followed, err := p.Ledger.Cursor(ctx)
	if err != nil {
		return false, fmt.Errorf("read chain cursor: %w", err)
	}
	if !followed || height <= info.Blocks {
		return false, nil
	}
	_, err = p.Node.Header(ctx, hash)
	if code, _ := node.Code(err); code == node.ErrCodeNotFound {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("ask for the last tip: %w", err)
	}
	return false, nil
}

// privateChain tells whether the chain lives on this box alone.
func (p *Pool) privateChain() bool {
	return p.Network == "practice" || p.Network == "regtest"
}
