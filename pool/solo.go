package pool

import (
	"fmt"
	"math"
	"math/big"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

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
