package pool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/work"
)

const (
	// proposePatience is how long a job waits for the node's opinion on whom it pays.
	proposePatience = 5 * time.Second
	// accountPatience is how long it waits for the ledger to number new miners.
	accountPatience = 2 * time.Second
	// maxPayees is how many different lists of payees are remembered.
	maxPayees = 1000
)

// direct is what the template loop remembers between jobs that pay miners.
type direct struct {
	accounts map[string]int64    // script → account, which never changes
	opinions map[[32]byte]string // payees → why the node refuses them, "" = it does not
	banned   map[[32]byte]string // payees → why they are not paid together any more
}

func newDirect() direct {
	return direct{accounts: map[string]int64{}, opinions: map[[32]byte]string{}, banned: map[[32]byte]string{}}
}

// payDirect makes the order for a template whose coinbase pays the miners of the
// PPLNS window, as far as they are worth an output and there is room. Where a
// device cannot hold it, or nobody's can be made, the block pays the pool's wallet
// and its reward is credited in the ledger.
//
// On a new tip it asks nobody: if the ledger has not numbered all miners yet, or the
// node has not said what it thinks of them, the block pays the wallet until they
// have. Each second that miners work on the old tip costs more than that.
//
// The window ends with the newest share that is on disk, not with the one that
// will find the block, because nobody knows it yet; it counts for the next one.
func (p *Pool) payDirect(ctx context.Context, base *work.Job, s Settings, pool []byte, newTip bool) order {
	o := order{job: base, settlement: ledger.SettlementLedger}
	window, err := p.Shares.Running(ctx, s.WindowMilli)
	if err != nil {
		o.fallback, o.alarm = "the share log cannot tell who worked: "+err.Error(), true
		return o
	}
	if len(window.Entries) == 0 {
		o.fallback = "nobody has sent a share yet"
		return o
	}
	interim := order{job: base, settlement: ledger.SettlementLedger, interim: true}
	if newTip && len(p.direct.unknown(window.Entries)) > 0 {
		return interim
	}
	pl, outputs, err := p.planDirect(ctx, base, s, pool, window)
	if err != nil {
		o.fallback, o.alarm = err.Error(), true
		return o
	}
	if len(outputs) == 1 && bytes.Equal(outputs[0].Script, pool) {
		o.fallback = fmt.Sprintf("nobody is due %d sat, the least that is worth an output", s.MinOutputSat)
		return o
	}
	job, err := p.payMiners(base, p.server.NextJobID(), pl, outputs)
	if err != nil {
		o.fallback, o.alarm = "the coinbase that pays the miners failed the check: "+err.Error(), true
		return o
	}
	refusal, known := p.direct.opinion(payeesOf(outputs))
	if !known {
		if newTip {
			return interim
		}
		refusal = p.propose(ctx, job)
	}
	if refusal != "" {
		o.fallback, o.alarm = refusal, true
		return o
	}
	return order{job: job, narrow: base, settlement: ledger.SettlementDirect}
}

// planDirect splits the template's value by the window and chooses the outputs.
func (p *Pool) planDirect(ctx context.Context, base *work.Job, s Settings, pool []byte, window shares.Window) (plan, []work.Output, error) {
	pl := plan{Terms: s.Terms(), PoolScript: pool}
	ids, err := p.accountsOf(ctx, window.Entries)
	if err != nil {
		return pl, nil, err
	}
	in := ledger.SplitInput{Value: base.Value, Terms: pl.Terms}
	scripts := make(map[int64][]byte, len(ids))
	miners := make(map[int64]shares.Entry, len(ids))
	for i, e := range window.Entries {
		in.Weights = append(in.Weights, ledger.AccountWeight{Account: ids[i], Score: e.Score})
		scripts[ids[i]], miners[ids[i]] = e.Script, e
	}
	split, err := ledger.Split(in)
	if err != nil {
		return pl, nil, err
	}
	for _, c := range split.Credits {
		e := miners[c.Account]
		pl.Dues = append(pl.Dues, ledger.Due{Address: e.Address, Script: e.Script, Score: e.Score, Amount: c.Amount})
	}

	// What the coinbase takes besides its outputs is what it takes with the
	// pool's alone.
	own := 9 + len(pool)
	room := p.server.CoinbaseRoom() - (base.CoinbaseSize() - own)
	paid, rest := ledger.Direct(split, scripts, pool, ledger.CoinbaseLimits{MinOutput: s.MinOutputSat, Room: room})
	return pl, coinbaseOutputs(paid, scripts, pool, rest), nil
}

// accountsOf returns the ledger's numbers of miners, by which ties are decided.
func (p *Pool) accountsOf(ctx context.Context, entries []shares.Entry) ([]int64, error) {
	if unknown := p.direct.unknown(entries); len(unknown) > 0 {
		ctx, cancel := context.WithTimeout(ctx, accountPatience)
		defer cancel()
		ids, err := p.Ledger.OpenAccounts(ctx, unknown)
		if err != nil {
			return nil, err
		}
		for i, m := range unknown {
			p.direct.accounts[string(m.Script)] = ids[i]
		}
	}
	ids := make([]int64, len(entries))
	for i, e := range entries {
		ids[i] = p.direct.accounts[string(e.Script)]
	}
	return ids, nil
}

// unknown returns the miners whose numbers the ledger has not told yet.
func (d direct) unknown(entries []shares.Entry) (list []ledger.Weight) {
	for _, e := range entries {
		if _, known := d.accounts[string(e.Script)]; !known {
			list = append(list, ledger.Weight{Address: e.Address, Script: e.Script})
		}
	}
	return list
}

// opinion returns why a list of payees must not be paid together, "" if they may,
// as far as that is known.
func (d direct) opinion(payees [32]byte) (refusal string, known bool) {
	if reason, banned := d.banned[payees]; banned {
		return reason, true
	}
	refusal, known = d.opinions[payees]
	return refusal, known
}

// propose asks the node, once for each list of payees, whether it would take a
// block that pays them (BIP 23), and returns why not. Amounts change with every
// share and need no opinion: they are checked here, as is the block's weight.
func (p *Pool) propose(ctx context.Context, job *work.Job) (refusal string) {
	ctx, cancel := context.WithTimeout(ctx, proposePatience)
	defer cancel()
	reason, err := p.Node.ProposeBlock(ctx, job.Block(work.Solution{Version: job.Version, Time: job.Time}))
	switch {
	case err != nil:
		return "the node gave no opinion on whom the block pays: " + err.Error()
	case reason == "inconclusive-not-best-prevblk":
		return "the node has just moved on to another block"
	case reason != "":
		refusal = fmt.Sprintf("the node would refuse a block that pays these miners: %s", reason)
	}
	if len(p.direct.opinions) >= maxPayees {
		clear(p.direct.opinions)
	}
	p.direct.opinions[payeesOf(job.Layout.Outputs)] = refusal
	return refusal
}

// forgetRefusals gives lists of payees that the node refused another chance, as
// another template may have room for them.
func (d direct) forgetRefusals() {
	for payees, refusal := range d.opinions {
		if refusal != "" {
			delete(d.opinions, payees)
		}
	}
}

// payeesOf identifies a list of payees in whatever order.
func payeesOf(outputs []work.Output) [32]byte {
	scripts := make([][]byte, len(outputs))
	for i, o := range outputs {
		scripts[i] = o.Script
	}
	slices.SortFunc(scripts, bytes.Compare)
	h := sha256.New()
	for _, script := range scripts {
		h.Write([]byte{byte(len(script))}) // a script of an address is shorter than 256 bytes
		h.Write(script)
	}
	return [32]byte(h.Sum(nil))
}
