package stratum

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// simulation is a miner with a hashrate whose shares come at random times, and
// a session that delivers difficulties to it as the real one does.
type simulation struct {
	vardiff  vardiff
	limits   limits
	network  float64
	hashrate float64
	now      time.Time
	random   *rand.Rand
	changes  int
	shares   int
}

func newSimulation(hashrate, start float64) *simulation {
	s := &simulation{
		limits:   limits{floor: 1e-5, ceiling: math.Inf(1)},
		network:  1e14,
		hashrate: hashrate,
		now:      time.Unix(1_800_000_000, 0),
		random:   rand.New(rand.NewPCG(1, 2)),
	}
	s.vardiff.restart(start, s.now)
	return s
}

// run lets the miner mine. A new job, and with it a difficulty that is not
// urgent, comes every 30 s.
func (s *simulation) run(d time.Duration) {
	end := s.now.Add(d)
	var waiting float64
	nextTick, nextJob := s.now.Add(tickTime), s.now.Add(30*time.Second)
	apply := func(difficulty float64) {
		s.vardiff.restart(difficulty, s.now)
		s.changes++
		waiting = 0
	}
	for s.now.Before(end) {
		next := nextTick
		isShare := false
		if s.hashrate > 0 {
			interval := s.random.ExpFloat64() * s.vardiff.difficulty * hashesPerDifficulty / s.hashrate
			if interval < nextTick.Sub(s.now).Seconds() {
				next, isShare = s.now.Add(time.Duration(interval*float64(time.Second))), true
			}
		}
		s.now = next
		if isShare {
			s.shares++
			s.vardiff.share(s.vardiff.difficulty, s.now)
		} else {
			nextTick = nextTick.Add(tickTime)
		}
		if !s.now.Before(nextJob) {
			nextJob = nextJob.Add(30 * time.Second)
			if waiting != 0 {
				apply(waiting)
			}
		}
		if waiting != 0 {
			continue
		}
		proposed, urgent, ok := s.vardiff.propose(s.now)
		if !ok {
			continue
		}
		want := capped(s.limits.fit(twoDigits(proposed)), s.network)
		switch {
		case want == s.vardiff.difficulty:
		case urgent:
			apply(want)
		default:
			waiting = want
		}
	}
}

// ideal is the difficulty at which shares come every four seconds.
func ideal(hashrate float64) float64 { return hashrate / hashesPerDifficulty / sharesPerSecond }

func TestVardiffConverges(t *testing.T) {
	tests := []struct {
		name     string
		hashrate float64
		start    float64
	}{
		{"NerdMiner", 50e3, 0.0005},
		{"CPU at an ASIC's difficulty", 10e6, 1024},
		{"USB stick", 100e9, 64},
		{"Bitaxe", 1e12, 512},
		{"S21 that says nothing about itself", 200e12, 1024},
		{"rental that says nothing about itself", 5e15, 1024},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSimulation(test.hashrate, test.start)
			s.run(30 * time.Minute)
			if ratio := s.vardiff.difficulty / ideal(test.hashrate); ratio < 0.4 || ratio > 2.5 {
				t.Errorf("difficulty %v after half an hour, ideal is %v", s.vardiff.difficulty, ideal(test.hashrate))
			}
			s.changes, s.shares = 0, 0
			s.run(8 * time.Hour)
			if s.changes > 8 {
				t.Errorf("%d changes in 8 hours of steady work", s.changes)
			}
			if perMinute := float64(s.shares) / 480; perMinute < 6 || perMinute > 37.5 {
				t.Errorf("%.1f shares per minute", perMinute)
			}
		})
	}
}

func TestVardiffStopsFlood(t *testing.T) {
	s := newSimulation(200e12, 1024)
	s.run(20 * time.Second)
	if s.shares > 200 {
		t.Errorf("%d shares in 20 s of 200 TH/s from difficulty 1024", s.shares)
	}
}

func TestVardiffFollows(t *testing.T) {
	s := newSimulation(1e12, 512)
	s.run(20 * time.Minute)
	s.hashrate = 100e12
	s.run(10 * time.Minute)
	if ratio := s.vardiff.difficulty / ideal(100e12); ratio < 0.4 || ratio > 2.5 {
		t.Errorf("difficulty %v after the hashrate rose, ideal is %v", s.vardiff.difficulty, ideal(100e12))
	}
	s.hashrate = 50e9
	s.run(30 * time.Minute)
	if ratio := s.vardiff.difficulty / ideal(50e9); ratio < 0.4 || ratio > 2.5 {
		t.Errorf("difficulty %v after the hashrate fell, ideal is %v", s.vardiff.difficulty, ideal(50e9))
	}
	s.hashrate = 0
	s.run(2 * time.Hour)
	if s.vardiff.difficulty != s.limits.floor {
		t.Errorf("difficulty %v after two hours of silence, want the floor %v", s.vardiff.difficulty, s.limits.floor)
	}
}

func TestVardiffStaysAtNetwork(t *testing.T) {
	s := newSimulation(10e6, 0.001)
	s.network = 0.0011
	s.run(time.Hour)
	if s.vardiff.difficulty > s.network || s.changes > 1 {
		t.Errorf("difficulty %v after %d changes, want at most the network's %v after one", s.vardiff.difficulty, s.changes, s.network)
	}
}

func TestPropose(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	after := start.Add
	type answer struct {
		difficulty float64 // rounded to two digits
		urgent, ok bool
	}
	tests := []struct {
		name   string
		shares int           // evenly spread over
		over   time.Duration // and then propose is asked
		asked  time.Duration
		want   answer
	}{
		{"8 shares in a second", 8, time.Second, time.Second, answer{3200, true, true}},
		{"7 shares in a second", 7, time.Second, time.Second, answer{}},
		{"8 shares in less than a second", 8, time.Second / 2, time.Second / 2, answer{}},
		{"a flood is limited", 1000, time.Second, time.Second, answer{6400, true, true}},
		{"a bit fast, too early", 24, 50 * time.Second, 50 * time.Second, answer{}},
		{"twice too fast after a minute", 30, 60 * time.Second, 60 * time.Second, answer{200, false, true}},
		{"right", 15, 60 * time.Second, 60 * time.Second, answer{}},
		{"slow, too few shares", 5, 60 * time.Second, 60 * time.Second, answer{}},
		{"slow, after four minutes", 10, 240 * time.Second, 240 * time.Second, answer{17, false, true}},
		{"one share says nothing", 1, 240 * time.Second, 240 * time.Second, answer{}},
		{"silent from the start", 0, 0, 60 * time.Second, answer{25, true, true}},
		{"not yet silent", 0, 0, 59 * time.Second, answer{}},
		{"silent after shares", 10, 40 * time.Second, 101 * time.Second, answer{25, true, true}},
		{"slow by nature", 4, 200 * time.Second, 400 * time.Second, answer{2.9, false, true}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var v vardiff
			v.restart(100, start)
			for i := range test.shares {
				v.share(100, after(test.over*time.Duration(i+1)/time.Duration(test.shares)))
			}
			difficulty, urgent, ok := v.propose(after(test.asked))
			if got := (answer{twoDigits(difficulty), urgent, ok}); got != test.want {
				t.Errorf("propose = %v, want %v", got, test.want)
			}
		})
	}
}

func TestVardiffIgnoresOldJobs(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	var v vardiff
	v.restart(100, start)
	for range 100 {
		v.share(50, start.Add(time.Second))
	}
	if d, _, ok := v.propose(start.Add(2 * time.Second)); ok {
		t.Errorf("shares at another difficulty led to %v", d)
	}
}

func TestLimits(t *testing.T) {
	tests := []struct {
		limits  limits
		d, want float64
	}{
		{limits{1e-5, 1e9, false}, 0.0123, 0.0123},
		{limits{1e-5, 1e9, false}, 3.7, 3.7},
		{limits{1e-5, 1e9, false}, 4.4, 4},
		{limits{1e-5, 1e9, false}, 1e-9, 1e-5},
		{limits{1e-5, 1e9, true}, 0.2, 1},
		{limits{1e-5, 1e9, true}, 2.6, 3},
		{limits{10.5, 1e9, true}, 1, 11},
		{limits{1, 20.7, true}, 100, 20},
		{limits{524288, 1e9, true}, 1, 524288},
		{limits{100, 50, true}, 70, 50},
	}
	for _, test := range tests {
		if got := test.limits.fit(test.d); got != test.want {
			t.Errorf("%v.fit(%v) = %v, want %v", test.limits, test.d, got, test.want)
		}
	}
}

func TestCapped(t *testing.T) {
	tests := []struct{ d, network, want float64 }{
		{512, 1e14, 512},
		{512, 100.9, 100},
		{512, 1, 1},
		{512, 4.66e-10, 4.66e-10},
		{0.5, 0.75, 0.5},
	}
	for _, test := range tests {
		if got := capped(test.d, test.network); got != test.want {
			t.Errorf("capped(%v, %v) = %v, want %v", test.d, test.network, got, test.want)
		}
	}
}

func TestTwoDigits(t *testing.T) {
	tests := []struct{ d, want float64 }{
		{1, 1}, {1234, 1200}, {1250, 1300}, {99.6, 100}, {0.00123, 0.0012}, {5e-5, 5e-5}, {8.49e17, 8.5e17}, {0, 0}, {math.NaN(), 0},
	}
	for _, test := range tests {
		if got := twoDigits(test.d); got != test.want {
			t.Errorf("twoDigits(%v) = %v, want %v", test.d, got, test.want)
		}
	}
}

func TestParsePassword(t *testing.T) {
	tests := []struct {
		password string
		want     wishes
	}{
		{"", wishes{}},
		{"x", wishes{}},
		{"password=1", wishes{}},
		{"d=5000", wishes{fixed: 5000}},
		{"x,d=5000", wishes{fixed: 5000}},
		{"x;diff=0.001|md=16k", wishes{fixed: 0.001, floor: 16000}},
		{"\tD=2M", wishes{fixed: 2e6}},
		{"d=5G x", wishes{fixed: 5e9}},
		{"d=,md=-1 d=x", wishes{}},
		{"d=inf", wishes{}},
		{"d=nan", wishes{}},
		{"d=0", wishes{}},
		{"d=1e99", wishes{}},
		{"d", wishes{}},
	}
	for _, test := range tests {
		if got := parsePassword(test.password); got != test.want {
			t.Errorf("parsePassword(%q) = %v, want %v", test.password, got, test.want)
		}
	}
}
