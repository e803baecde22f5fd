package pool

import (
	"bytes"
	"fmt"
	"math"
	"math/big"

	"github.com/btcsuite/btcd/txscript/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// nobody stands for the wallet in the job that each solo miner's own is made of,
// while there is no wallet: nothing that is paid to it could ever be spent. No
// miner gets that job, and theirs pay nothing to it.
func nobody() []byte { return []byte{txscript.OP_RETURN} }

// restScript returns the script of what a coinbase does not pay to miners or, while
// that is not known, what the pool waits for.
func (p *Pool) restScript(s Settings) (script []byte, wanting string) {
	switch known := p.script.Load(); {
	case known != nil:
		return *known, ""
	case !s.NeedsWallet():
		return nobody(), ""
	case s.Settlement == ledger.SettlementSolo:
		return nil, "waiting for the pool's wallet, which gets the pool's fee and donation of every block"
	}
	return nil, "waiting for the pool's wallet, which every block pays"
}

// paySolo gives each miner jobs whose coinbase pays its own address: the whole
// block, or what the fee leaves of it, which goes to the pool's wallet. The first
// name of a connection says which address that is.
func (p *Pool) paySolo(s Settings, pool []byte) stratum.LayOut {
	return func(base *work.Job, id uint32, w stratum.Worker) (*work.Job, error) {
		job, err := p.soloJob(base, id, w, s.Terms(), pool)
		if err != nil {
			p.doubt(fmt.Errorf("job of worker %s: %w", w.Name, err))
		}
		return job, err
	}
}

func (p *Pool) soloJob(base *work.Job, id uint32, w stratum.Worker, terms ledger.Terms, pool []byte) (*work.Job, error) {
	const finder = 1 // the only account there is
	all := big.NewRat(1, 1)
	split, err := ledger.Split(ledger.SplitInput{
		Value: base.Value, Terms: terms, Weights: []ledger.AccountWeight{{Account: finder, Score: all}},
	})
	if err != nil {
		return nil, err
	}
	scripts := map[int64][]byte{finder: w.Script}
	// A fee that is too small to be worth an output is an output all the same:
	// nobody's account could carry it.
	paid, rest := ledger.Direct(split, scripts, pool, ledger.CoinbaseLimits{MinOutput: 1, Room: math.MaxInt32})
	if rest > 0 && bytes.Equal(pool, nobody()) {
		return nil, fmt.Errorf("%d sat of the block would be paid to nobody", rest)
	}

	pl := plan{Terms: terms, PoolScript: pool, Dues: []ledger.Due{
		{Address: w.Address, Script: w.Script, Score: all, Amount: split.Credits[0].Amount},
	}}
	return p.payMiners(base, id, pl, coinbaseOutputs(paid, scripts, pool, rest))
}

// doubt says that a job was not what it should be. It may be called with the
// server's locks held and leaves the work to the template loop.
func (p *Pool) doubt(err error) {
	select {
	case p.doubts <- err:
	default: // one is enough
	}
}
