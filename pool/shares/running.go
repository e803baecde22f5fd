package shares

import (
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"sync"
	"time"
)

// running is the window that ends with the newest stored share, kept in memory
// for whoever wants it at every job: a deque of shifts and, per nBits, the sums
// of their workers, so that reading costs no more than the workers there are.
// The first reading fetches it from the database; from then on every commit adds
// its shares and shifts that fall out are forgotten. After a failure, when it is
// not certain what the database holds, the next reading fetches it again.
// Commits wait for a fetch. It happens at the start, before there are miners, or
// when an operator lets coinbases pay the miners or widens the window; and seldom
// after that: when the database failed, or has merged shifts of which the oldest
// was forgotten here.
type running struct {
	mu    sync.Mutex
	live  bool     // follows the log
	limit *big.Rat // X that the shifts reach back for
	whole bool     // no older shift was left out or forgotten
	last  int64    // seq of the newest share

	shifts  []heldShift   // oldest first
	newest  map[int64]int // worker → its place in the newest shift's parts
	epochs  map[uint32]*epoch
	workers map[int64]Entry // address and script
}

// heldShift is a shift with the work of its workers.
type heldShift struct {
	shift
	parts []labour
}

// labour is what one worker did in a shift.
type labour struct{ worker, work int64 }

// epoch is what all held shifts with equal nBits add up to.
type epoch struct {
	network *big.Int // work of a block
	total   *big.Int
	work    map[int64]*big.Int // by worker
}

// arrival is a share on its way into the running window.
type arrival struct {
	seq, worker, work int64
	shift             shift // after the share
	address           string
	script            []byte
}

// Running returns the window that ends with the newest share whose commit is
// done, as [Log.Window] would, but from memory and with the scores alone, without
// the work behind them. It is empty when there are no shares.
func (l *Log) Running(ctx context.Context, windowMilli int64) (Window, error) {
	if windowMilli < 1 {
		return Window{}, fmt.Errorf("window of %d thousandths is empty", windowMilli)
	}
	limit := big.NewRat(windowMilli, 1000)

	r := l.running
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.live || !r.whole && limit.Cmp(r.limit) > 0 {
		if err := r.fetch(ctx, l.db.Reader(), limit); err != nil {
			return Window{}, fmt.Errorf("read running window: %w", err)
		}
	}
	r.limit = limit

	return r.window(), nil
}

// forget ends the following until the next reading.
func (r *running) forget() {
	r.live, r.whole, r.last = false, false, 0
	r.shifts, r.newest, r.epochs, r.workers = nil, nil, nil, nil
}

// lose is forget for those who do not hold the lock.
func (r *running) lose() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
}

// follow adds shares that have been committed.
func (r *running) follow(list []arrival) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.live {
		return
	}
	for _, a := range list {
		if a.seq <= r.last { // was fetched
			continue
		}
		if n := len(r.shifts); n == 0 || r.shifts[n-1].id != a.shift.id {
			r.shrink()
			if _, err := r.epoch(a.shift.bits); err != nil {
				r.forget() // the log refuses such nBits, so this cannot be
				return
			}
			a.shift.work = 0
			r.shifts = append(r.shifts, heldShift{shift: a.shift})
			clear(r.newest)
		}
		if _, known := r.workers[a.worker]; !known {
			r.workers[a.worker] = Entry{Address: a.address, Script: a.script}
		}
		r.add(a)
	}
}

// add adds a share to the newest shift.
func (r *running) add(a arrival) {
	s := &r.shifts[len(r.shifts)-1]
	r.last, s.to = a.seq, a.seq
	s.work += a.work
	i, known := r.newest[a.worker]
	if !known {
		i = len(s.parts)
		r.newest[a.worker] = i
		s.parts = append(s.parts, labour{worker: a.worker})
	}
	s.parts[i].work += a.work
	r.epochs[s.bits].add(labour{a.worker, a.work})
}

// epoch returns the sums for nBits.
func (r *running) epoch(bits uint32) (*epoch, error) {
	if e := r.epochs[bits]; e != nil {
		return e, nil
	}
	network, err := networkWork(bits)
	if err != nil {
		return nil, err
	}
	e := &epoch{network: network, total: new(big.Int), work: map[int64]*big.Int{}}
	r.epochs[bits] = e

	return e, nil
}

// add adds to the sums, or takes off what is negative.
func (e *epoch) add(p labour) {
	work := big.NewInt(p.work)
	e.total.Add(e.total, work)
	sum := e.work[p.worker]
	if sum == nil {
		e.work[p.worker] = work

		return
	}
	if sum.Add(sum, work).Sign() == 0 {
		delete(e.work, p.worker)
	}
}

// common returns a denominator that all scores have in common and, for each
// epoch, the factor that brings its work to it. Only integers are added up then,
// and each score is reduced once: with many epochs that is most of the work.
func (r *running) common() (denominator *big.Int, factors map[uint32]*big.Int) {
	denominator = big.NewInt(1)
	for _, e := range r.epochs {
		denominator.Mul(denominator, e.network)
	}
	factors = make(map[uint32]*big.Int, len(r.epochs))
	for bits, e := range r.epochs {
		factors[bits] = new(big.Int).Quo(denominator, e.network)
	}

	return denominator, factors
}

// total returns the score of all held shifts.
func (r *running) total() *big.Rat {
	denominator, factors := r.common()
	sum := new(big.Int)
	for bits, e := range r.epochs {
		sum.Add(sum, new(big.Int).Mul(e.total, factors[bits]))
	}

	return new(big.Rat).SetFrac(sum, denominator)
}

// shrink forgets the oldest shifts as far as the others reach the limit, and
// returns by how much what is left exceeds it.
func (r *running) shrink() (excess *big.Rat) {
	excess = r.total()
	excess.Sub(excess, r.limit)
	for len(r.shifts) > 1 {
		oldest := r.shifts[0]
		e := r.epochs[oldest.bits]
		without := new(big.Rat).Sub(excess, new(big.Rat).SetFrac(big.NewInt(oldest.work), e.network))
		if without.Sign() < 0 {
			break
		}
		for _, p := range oldest.parts {
			e.add(labour{p.worker, -p.work})
		}
		if e.total.Sign() == 0 {
			delete(r.epochs, oldest.bits)
		}
		r.shifts[0] = heldShift{}
		r.shifts = r.shifts[1:]
		r.whole = false
		excess = without
	}

	return excess
}

// window adds up the accounts. Of the oldest shift everybody loses the same
// fraction, so that the scores reach the limit and no further.
func (r *running) window() Window {
	w := Window{Seq: r.last, Sum: new(big.Rat)}
	if len(r.shifts) == 0 {
		return w
	}
	excess := r.shrink()
	edge := r.shifts[0]
	w.From, w.FromSeq = time.UnixMilli(edge.openedMS), edge.from
	w.Sum.Add(r.limit, excess)
	denominator, factors := r.common()

	place := map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(r.workers)) {
		weight := new(big.Int)
		for bits, e := range r.epochs {
			if work := e.work[id]; work != nil {
				weight.Add(weight, new(big.Int).Mul(work, factors[bits]))
			}
		}
		if weight.Sign() == 0 {
			continue
		}
		miner := r.workers[id]
		i, ok := place[string(miner.Script)]
		if !ok {
			i = len(w.Entries)
			place[string(miner.Script)] = i
			w.Entries = append(w.Entries, Entry{Address: miner.Address, Script: miner.Script, Score: new(big.Rat)})
		}
		w.Entries[i].Score.Add(w.Entries[i].Score, new(big.Rat).SetFrac(weight, denominator))
	}

	if excess.Sign() > 0 {
		w.Sum.Set(r.limit)
		excess.Quo(excess, new(big.Rat).SetInt64(edge.work))
		for _, p := range edge.parts {
			score := w.Entries[place[string(r.workers[p.worker].Script)]].Score
			score.Sub(score, new(big.Rat).Mul(excess, new(big.Rat).SetInt64(p.work)))
		}
	}

	return w
}

// merge makes one shift of a group, as Prune has done in the database. A group
// whose beginning has been forgotten is fetched anew, because the edge is scaled
// as a whole.
func (r *running) merge(g group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	from := slices.IndexFunc(r.shifts, func(s heldShift) bool { return s.id >= g.first && s.id <= g.last })
	if !r.live || from < 0 {
		return
	}
	if r.shifts[from].id != g.first {
		r.forget()

		return
	}
	to := from
	for to+1 < len(r.shifts) && r.shifts[to+1].id <= g.last {
		to++
	}

	sums := map[int64]int64{}
	merged := heldShift{shift: r.shifts[from].shift}
	merged.to, merged.work = r.shifts[to].to, 0
	for _, s := range r.shifts[from : to+1] {
		merged.work += s.work
		for _, p := range s.parts {
			sums[p.worker] += p.work
		}
	}
	for _, worker := range slices.Sorted(maps.Keys(sums)) {
		merged.parts = append(merged.parts, labour{worker, sums[worker]})
	}
	r.shifts[from] = merged
	r.shifts = slices.Delete(r.shifts, from+1, to+1)
}
