package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

const (
	// recordPatience is how long a found block waits for the ledger, and then for
	// a file, before it is submitted all the same.
	recordPatience = 200 * time.Millisecond
	// submitPatience is how long the miner's answer waits for the node's.
	submitPatience = 2 * time.Second
	// blockPatience is how long a stopping pool waits for blocks in flight.
	blockPatience = 10 * time.Second
	// commitPatience is how old a found block must be before the reward job takes
	// over freezing its split from the share that found it.
	commitPatience = 30 * time.Second
)

// Found implements [stratum.Backend]. The raw block goes to disk, then to the
// node, before anything else happens to the share: before it is judged, counted
// or answered. It does not depend on the session that found it.
func (p *Pool) Found(s stratum.Share) {
	hash := s.Proof.Hash
	if _, twice := p.lately.LoadOrStore(hash, underWay); twice {
		return // the same solution again
	}
	pl := p.planOf(s.Job)
	block := ledger.Found{
		Hash:         hash,
		Prev:         s.Job.PrevHash,
		Height:       s.Job.Height,
		At:           s.At,
		Address:      s.Worker.Address,
		Script:       s.Worker.Script,
		Worker:       s.Worker.Name,
		Work:         work.ShareWork(s.Difficulty),
		Bits:         s.Job.Bits,
		CoinbaseTxID: s.Job.CoinbaseTxID(s.Solution.Extranonce),
		Value:        s.Job.Value,
		Terms:        pl.Terms,
		Raw:          s.Job.Block(s.Solution),
		PoolScript:   pl.PoolScript,
		Dues:         pl.Dues,
	}
	p.Logger.Info("Block found", "height", block.Height, "hash", hash, "worker", block.Worker, "sats", block.Value)

	recorded, inTime := p.within(recordPatience, func() { p.record(block) })
	if !inTime {
		p.within(recordPatience, func() { p.keep(block) })
	}
	p.within(submitPatience, func() {
		result, err := p.submit(p.lasting, block.Raw)
		p.inFlight.Go(func() {
			<-recorded
			p.noteSubmit(block, s.Job, result, err)
			p.lately.Store(hash, done)
		})
	})
	p.Events.Publish(Event{
		Kind: "block", At: s.At, Height: block.Height, Hash: hash.String(),
		Address: block.Address, Worker: block.Worker, Amount: block.Value,
	})
}

// within does something that the pool does not end without, and waits for it to be
// done, but no longer than patience.
func (p *Pool) within(patience time.Duration, do func()) (done <-chan struct{}, inTime bool) {
	end := make(chan struct{})
	p.inFlight.Go(func() {
		defer close(end)
		do()
	})
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-end:
		return end, true
	case <-timer.C:
		return end, false
	}
}

// What became of the blocks found lately, so that a solution that is sent again
// costs nothing: Found stands before every limit.
const (
	underWay = iota // to disk and node
	done
)

// forgetBlocks lets go of the blocks that are done. With a new tip a solution
// from before it is worth nothing any more.
func (p *Pool) forgetBlocks() {
	p.lately.Range(func(hash, state any) bool {
		if state == done {
			p.lately.Delete(hash)
		}
		return true
	})
}

// record writes a found block to the ledger, again and again while the disk
// refuses, until it is there or the pool ends.
func (p *Pool) record(block ledger.Found) {
	for wait := recordPatience; ; wait = min(2*wait, 5*time.Second) {
		err := p.Ledger.RecordFound(p.lasting, block)
		if err == nil {
			break
		}
		p.Logger.Error("Block not recorded yet", "height", block.Height, "hash", block.Hash, "err", err)
		p.keep(block)
		if !sleep(p.lasting, wait) {
			return
		}
	}
	if err := p.spool().drop(block); err != nil {
		p.Logger.Warn("Block is in the ledger and still in a file", "hash", block.Hash, "err", err)
	}
}

func (p *Pool) spool() blockSpool { return blockSpool{p.Dir} }

// keep puts a block that the ledger is slow to take into a file.
func (p *Pool) keep(block ledger.Found) {
	if err := p.spool().keep(block); err != nil {
		p.Logger.Error("Block not kept in a file", "height", block.Height, "hash", block.Hash, "err", err)
	}
}

// submit hands a raw block to the node until the node answers.
func (p *Pool) submit(ctx context.Context, raw []byte) (string, error) {
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		result, err := p.Node.SubmitBlock(ctx, raw)
		if err == nil {
			return result, nil
		}
		p.Logger.Warn("Block not submitted yet", "err", err)
		if !sleep(ctx, wait) {
			return "", fmt.Errorf("submit block: %w", err)
		}
	}
}

func (p *Pool) noteSubmit(block ledger.Found, job *work.Job, result string, err error) {
	if err != nil {
		p.Logger.Warn("Block stays on disk for the next start", "height", block.Height, "hash", block.Hash, "err", err)
		return
	}
	if err := p.Ledger.RecordSubmit(p.lasting, block.Hash, result); err != nil {
		p.Logger.Error("Node's answer not recorded", "height", block.Height, "hash", block.Hash, "err", err)
	}
	kept, err := p.Ledger.Block(p.lasting, block.Hash)
	if err == nil && kept.State == ledger.StateRejected {
		p.raiseAlarm(block, job, result)
	} else if result != "" {
		// "inconclusive" is another block of this height that came first.
		p.Logger.Info("Node did not take the block at once", "height", block.Height, "hash", block.Hash, "answer", result)
	}
	p.wakeChain(sweepDue)
}

// freezeWhenCommitted freezes a block's split once the share that found it is
// on disk.
func (p *Pool) freezeWhenCommitted(hash chainhash.Hash, commit *shares.Commit) {
	if err := commit.Wait(p.lasting); err != nil {
		p.Logger.Error("Winning share not stored", "hash", hash, "err", err)
		return
	}
	err := p.freeze(p.lasting, hash, commit.Seq())
	for errors.Is(err, ledger.ErrNotFound) && sleep(p.lasting, recordPatience) {
		err = p.freeze(p.lasting, hash, commit.Seq()) // the disk was slow to take the block itself
	}
	if err != nil {
		p.Logger.Error("Split not frozen yet", "hash", hash, "err", err)
		return
	}
	p.wakeChain(sweepDue)
	if p.settings.Load().Settlement == ledger.SettlementDirect {
		p.offerAgain() // the job on this block was made before its share counted
	}
}

// freeze copies the window that ends with share seq into the ledger. Of a block
// whose coinbase pays miners the ledger knows the window already: the job's.
func (p *Pool) freeze(ctx context.Context, hash chainhash.Hash, seq int64) error {
	block, err := p.Ledger.Block(ctx, hash)
	if err != nil {
		return fmt.Errorf("read block: %w", err)
	}
	if block.Terms.PaysMiners() {
		return p.Ledger.FreezeCoinbase(ctx, hash, seq)
	}
	window, err := p.Shares.Window(ctx, seq, block.Terms.WindowMilli)
	if err != nil {
		return fmt.Errorf("read window: %w", err)
	}
	if err := p.Ledger.Freeze(ctx, hash, ledgerWindow(window)); err != nil {
		return fmt.Errorf("freeze split: %w", err)
	}
	return nil
}

// ledgerWindow is the window as the ledger keeps it.
func ledgerWindow(w shares.Window) ledger.Window {
	kept := ledger.Window{WinnerSeq: w.Seq, FromSeq: w.FromSeq, From: w.From}
	for _, e := range w.Epochs {
		kept.Epochs = append(kept.Epochs, ledger.Epoch{Bits: e.Bits, Take: e.Take})
	}
	for _, e := range w.Entries {
		weight := ledger.Weight{Address: e.Address, Script: e.Script, Score: e.Score}
		for _, p := range e.Parts {
			weight.Parts = append(weight.Parts, ledger.Part(p))
		}
		kept.Weights = append(kept.Weights, weight)
	}
	return kept
}

// BookRewards freezes the splits of blocks whose winning share and ledger entry
// were torn apart by a crash or a full disk. The scheduled reward job calls it;
// young blocks are left to the share that found them.
func (p *Pool) BookRewards(ctx context.Context) error {
	return p.freezePending(ctx, commitPatience)
}

// freezeLeftOpen freezes what the last run left open, before new shares come
// that are no part of it. A share log that does not answer is no reason not to
// mine: the reward job goes on trying.
func (p *Pool) freezeLeftOpen(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, commitPatience)
	defer cancel()
	if err := p.freezePending(ctx, 0); err != nil {
		p.Logger.Error("Splits of earlier blocks not frozen yet", "err", err)
	}
}

// freezePending freezes what is not frozen of the blocks older than age: it
// finds the share that won, or writes it again from what the block says of it.
// A block that cannot be frozen does not stop the others.
func (p *Pool) freezePending(ctx context.Context, age time.Duration) error {
	blocks, err := p.Ledger.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("read unfinished blocks: %w", err)
	}
	var errs []error
	for _, block := range blocks {
		if block.Frozen || block.State == ledger.StateRejected || time.Since(block.At) < age {
			continue
		}
		if err := p.freezeLate(ctx, block); err != nil {
			errs = append(errs, fmt.Errorf("freeze block %s: %w", block.Hash, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errs...)
}

func (p *Pool) freezeLate(ctx context.Context, block ledger.Block) error {
	seq, found, err := p.Shares.Winner(ctx, block.Hash)
	if err != nil {
		return fmt.Errorf("find winning share: %w", err)
	}
	if !found {
		hash := block.Hash
		commit, err := p.Shares.Append(ctx, shares.Share{
			Address: block.Address, Script: block.Script, Worker: block.Worker,
			At: block.At, Work: block.Work, Difficulty: float64(block.Work) / float64(work.ShareWork(1)),
			Achieved: work.HashDifficulty(block.Hash), Bits: block.Bits, Block: &hash,
		})
		if err != nil {
			return fmt.Errorf("write winning share: %w", err)
		}
		if err := commit.Wait(ctx); err != nil {
			return fmt.Errorf("write winning share: %w", err)
		}
		seq = commit.Seq()
	}
	if err := p.freeze(ctx, block.Hash, seq); err != nil && !errors.Is(err, ledger.ErrFrozen) {
		return err
	}
	return nil
}

// sleep waits for d and returns true, or false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
