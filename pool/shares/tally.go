package shares

import "math/big"

// part is the work of one worker in a shift.
type part struct{ worker, work int64 }

// tally adds up shifts from the newest backwards until their scores reach a
// limit. It is exact.
//
// Shifts with equal nBits have the same denominator, so within a run of them
// only integers are added and compared. There is one fraction per run and one
// for the edge, however long the window is.
type tally struct {
	full   bool
	fromMS int64 // when the oldest shift that counts was opened

	room    *big.Rat            // score that is left for the run
	network map[uint32]*big.Int // nBits → work of a block

	bits  uint32   // of the run
	run   *big.Int // work in the run
	limit *big.Rat // work that fits into the run
	whole *big.Int // floor(limit)

	work map[uint32]map[int64]*big.Int // nBits → worker → work of whole shifts
	edge map[int64]*big.Rat            // worker → score in the edge shift
}

func newTally(limit *big.Rat) *tally {
	return &tally{
		room:    new(big.Rat).Set(limit),
		network: map[uint32]*big.Int{},
		run:     new(big.Int),
		work:    map[uint32]map[int64]*big.Int{},
		edge:    map[int64]*big.Rat{},
	}
}

// add adds the next older shift, whose parts sum up to its work. It reports
// whether the limit is reached, after which nothing may be added.
func (t *tally) add(s shift, parts []part) (full bool, err error) {
	if s.bits != t.bits {
		if err := t.begin(s.bits); err != nil {
			return false, err
		}
	}
	t.fromMS = s.openedMS

	sum := new(big.Int).Add(t.run, big.NewInt(s.work))
	if sum.Cmp(t.whole) > 0 {
		t.cut(s, parts)

		return true, nil
	}

	t.run = sum
	for _, p := range parts {
		work := t.work[t.bits][p.worker]
		if work == nil {
			work = new(big.Int)
			t.work[t.bits][p.worker] = work
		}
		work.Add(work, big.NewInt(p.work))
	}
	t.full = t.limit.IsInt() && sum.Cmp(t.whole) == 0

	return t.full, nil
}

// begin starts a run of shifts with other nBits.
func (t *tally) begin(bits uint32) error {
	if t.run.Sign() > 0 {
		t.room.Sub(t.room, new(big.Rat).SetFrac(t.run, t.network[t.bits]))
	}

	if t.network[bits] == nil {
		network, err := networkWork(bits)
		if err != nil {
			return err
		}
		t.network[bits] = network
		t.work[bits] = map[int64]*big.Int{}
	}

	t.bits = bits
	t.run = new(big.Int)
	t.limit = new(big.Rat).Mul(t.room, new(big.Rat).SetInt(t.network[bits]))
	t.whole = new(big.Int).Quo(t.limit.Num(), t.limit.Denom())

	return nil
}

// cut takes of the edge shift what is left to the limit: a part counts with
// its work * (limit - run) / shift's work.
func (t *tally) cut(s shift, parts []part) {
	t.full = true

	scale := new(big.Rat).Sub(t.limit, new(big.Rat).SetInt(t.run))
	scale.Quo(scale, new(big.Rat).SetInt(new(big.Int).Mul(big.NewInt(s.work), t.network[t.bits])))
	for _, p := range parts {
		t.edge[p.worker] = new(big.Rat).Mul(scale, new(big.Rat).SetInt64(p.work))
	}
}

// scores returns the score of each worker. It is the end of the tally.
func (t *tally) scores() map[int64]*big.Rat {
	scores := t.edge
	for bits, workers := range t.work {
		for worker, work := range workers {
			score := new(big.Rat).SetFrac(work, t.network[bits])
			if more := scores[worker]; more != nil {
				score.Add(score, more)
			}
			scores[worker] = score
		}
	}

	return scores
}
