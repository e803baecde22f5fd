package metrics

import (
	"strconv"
	"time"
)

// Family is one name with what is told under it.
type Family struct {
	Name   string
	Kind   Kind
	Labels []string
	Help   string

	read func(s *Snapshot, out *lines)
}

// Kind is how the figures of a family are to be read.
type Kind string

// A gauge goes up and down, a counter up only. The other two are several lines each.
const (
	Gauge     Kind = "gauge"
	Counter   Kind = "counter"
	Summary   Kind = "summary"
	Histogram Kind = "histogram"
)

// difficultyOne is the work of a share of difficulty 1, in hashes.
const difficultyOne = 4295032833

// legacyOne is what the earlier names multiply a difficulty by to tell hashes.
const legacyOne = 1 << 32

// Families returns the table of all names, those of earlier pools first.
func Families() []Family {
	return append(legacyFamilies(), ownFamilies()...)
}

// mine is a reader of what there is only while the pool runs.
func mine(read func(m *Mine, out *lines)) func(*Snapshot, *lines) {
	return func(s *Snapshot, out *lines) {
		if s.Mine != nil {
			read(s.Mine, out)
		}
	}
}

func legacyFamilies() []Family {
	perWorker := []string{"btcaddress", "workername"}
	worker := func(read func(w *Worker) *float64) func(*Snapshot, *lines) {
		return func(_ *Snapshot, out *lines) {
			for i := range out.workers {
				w := &out.workers[i]
				out.known(read(w), w.Address, w.Name)
			}
		}
	}
	return []Family{
		{"shares_accepted_total", Counter, nil, "Accepted shares, a number: its rate is no hash rate.", mine(func(m *Mine, out *lines) {
			out.value(float64(m.Accepted))
		})},
		{"shares_rejected_total", Counter, nil, "Rejected shares, a number.", mine(func(m *Mine, out *lines) {
			sum := int64(0)
			for _, n := range m.Rejected {
				sum += n
			}
			out.value(float64(sum))
		})},
		{"accepted_difficulty_total", Counter, nil, "Difficulties of the accepted shares, added up: its rate times 4294967296 is the hash rate.", mine(func(m *Mine, out *lines) {
			out.value(m.Work / difficultyOne)
		})},
		{"best_share", Gauge, nil, "Highest difficulty that a connected miner has reached since it connected.", mine(func(m *Mine, out *lines) {
			out.known(m.BestNow)
		})},
		{"best_share_ever", Gauge, nil, "Highest difficulty that a share has reached, over restarts.", mine(func(m *Mine, out *lines) {
			out.known(m.BestEver)
		})},
		{"pool_difficulty", Gauge, nil, "Difficulty of an average share of the connected miners.", mine(func(m *Mine, out *lines) {
			out.known(m.Difficulty)
		})},
		{"start_time_seconds", Gauge, nil, "When the pool's process started.", func(s *Snapshot, out *lines) {
			out.moment(s.Started)
		}},
		{"last_update_seconds", Gauge, nil, "When the last share was accepted.", mine(func(m *Mine, out *lines) {
			out.moment(m.LastShare)
		})},
		{"worker_shares_valid_total", Counter, perWorker, "Difficulties of a worker's accepted shares, added up, times 4294967296: its rate is a hash rate.", worker(func(w *Worker) *float64 {
			return new(w.Work / difficultyOne * legacyOne)
		})},
		{"worker_best_share", Gauge, perWorker, "Highest difficulty that a connected worker has reached since it connected.", worker(func(w *Worker) *float64 {
			return w.BestNow
		})},
		{"worker_best_share_ever", Gauge, perWorker, "Highest difficulty that a worker has reached, over restarts.", worker(func(w *Worker) *float64 {
			return &w.BestEver
		})},
		{"worker_last_share_at", Gauge, perWorker, "When a worker's last share was accepted, in unix seconds.", worker(func(w *Worker) *float64 {
			return unix(w.LastShare)
		})},
		{"user_shares_valid_total", Counter, []string{"btcaddress"}, "Difficulties of an address's accepted shares, added up, times 4294967296: its rate is a hash rate.", func(_ *Snapshot, out *lines) {
			for _, a := range out.accounts {
				out.value(a.Work/difficultyOne*legacyOne, a.Address)
			}
		}},
		{"coinbase_output", Gauge, []string{"index", "address"}, "Satoshis that an output of the next block's coinbase would pay.", mine(func(m *Mine, out *lines) {
			for i, o := range m.Coinbase {
				out.value(float64(o.Sats), strconv.Itoa(i), o.Address)
			}
		})},
		{"coinbase_total", Gauge, nil, "Satoshis that the next block's coinbase would pay.", mine(func(m *Mine, out *lines) {
			out.positive(float64(m.CoinbaseValue))
		})},
		{"network_difficulty", Gauge, nil, "Difficulty of a block.", mine(func(m *Mine, out *lines) { out.known(m.NetworkDifficulty) })},
		{"work_since_last_block", Gauge, nil, "Difficulties of the accepted shares since the pool's newest block, added up: over network_difficulty it is the effort.", mine(func(m *Mine, out *lines) {
			out.known(m.RoundWork)
		})},
		{"bitcoin_blocks_found_total", Counter, nil, "Blocks that the pool has found, whatever became of them.", mine(func(m *Mine, out *lines) {
			sum := int64(0)
			for _, n := range m.States {
				sum += n
			}
			out.value(float64(sum))
		})},
		{"bitcoin_block_found_time_seconds", Gauge, []string{"blockhash", "height"}, "When a block of the pool was found.", mine(func(m *Mine, out *lines) {
			for _, b := range m.Blocks {
				out.moment(b.At, b.Hash, strconv.Itoa(int(b.Height)))
			}
		})},
	}
}

// unix is a time in seconds, nil where there is none.
func unix(t time.Time) *float64 {
	if t.IsZero() {
		return nil
	}
	return new(float64(t.UnixMilli()) / 1000)
}
