package shares

import "math/big"

// tally walks through shifts from the newest backwards until their scores reach
// a limit, and says which of them count. It is exact.
//
// Shifts with equal nBits have the same denominator, so within a run of them
// only integers are added and compared. There is one fraction per run and one
// for the edge, however long the window is.
type tally struct {
	full    bool
	fromSeq int64 // first share of the oldest shift that counts
	fromMS  int64 // when that shift was opened

	room    *big.Rat            // score that is left for the run
	network map[uint32]*big.Int // nBits → work of a block
	limit   *big.Rat            // work that fits into the run
	whole   *big.Int            // floor(limit)

	runs []*run // newest first; the last one is under way
	edge *run   // the shift that was cut, nil when none was
}

// run is consecutive shifts with equal nBits that count with the same part of
// their work.
type run struct {
	bits        uint32
	first, last int64    // ids of its shifts
	work        *big.Int // of all of them
	take        *big.Rat // how much of the work counts: 1, less at the edge

	parts map[int64]Part // by worker, when that is known already: part of a shift is a run of its own
}

func newTally(limit *big.Rat) *tally {
	return &tally{room: new(big.Rat).Set(limit), network: map[uint32]*big.Int{}}
}

// add adds the next older shift; parts is nil, or what its workers did when not
// the whole of it is meant. It reports whether the limit is reached, after which
// nothing may be added.
func (t *tally) add(s shift, parts map[int64]Part) (full bool, err error) {
	if n := len(t.runs); n == 0 || s.bits != t.runs[n-1].bits || t.runs[n-1].parts != nil {
		if err := t.begin(s, parts); err != nil {
			return false, err
		}
	}
	t.fromSeq, t.fromMS = s.from, s.openedMS

	r := t.runs[len(t.runs)-1]
	sum := new(big.Int).Add(r.work, big.NewInt(s.work))
	if sum.Cmp(t.whole) > 0 {
		t.cut(s, r, parts)

		return true, nil
	}
	r.first, r.work = s.id, sum
	t.full = t.limit.IsInt() && sum.Cmp(t.whole) == 0

	return t.full, nil
}

// begin starts a run at a shift.
func (t *tally) begin(s shift, parts map[int64]Part) error {
	if n := len(t.runs); n > 0 {
		last := t.runs[n-1]
		t.room.Sub(t.room, new(big.Rat).SetFrac(last.work, t.network[last.bits]))
	}

	if t.network[s.bits] == nil {
		network, err := networkWork(s.bits)
		if err != nil {
			return err
		}
		t.network[s.bits] = network
	}

	t.runs = append(t.runs, &run{bits: s.bits, first: s.id + 1, last: s.id, work: new(big.Int), take: big.NewRat(1, 1), parts: parts})
	t.limit = new(big.Rat).Mul(t.room, new(big.Rat).SetInt(t.network[s.bits]))
	t.whole = new(big.Int).Quo(t.limit.Num(), t.limit.Denom())

	return nil
}

// cut takes of the edge shift what is left to the limit: all its work counts
// with (limit - run) / shift's work.
func (t *tally) cut(s shift, r *run, parts map[int64]Part) {
	t.full = true

	take := new(big.Rat).Sub(t.limit, new(big.Rat).SetInt(r.work))
	take.Quo(take, new(big.Rat).SetInt64(s.work))
	t.edge = &run{bits: s.bits, first: s.id, last: s.id, work: big.NewInt(s.work), take: take, parts: parts}
}

// counted returns the runs that hold work that counts, the newest first.
func (t *tally) counted() []*run {
	var all []*run
	for _, r := range t.runs {
		if r.work.Sign() > 0 {
			all = append(all, r)
		}
	}
	if t.edge != nil && t.edge.take.Sign() > 0 {
		all = append(all, t.edge)
	}

	return all
}
