package cpuminer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Config is what a miner mines for, and how hard.
type Config struct {
	URL         string  // stratum+tcp://host:port, or host:port
	User        string  // payout address, with ".name" of the worker
	Password    string  // mostly ignored by pools
	Threads     int     // 0: one per core
	MaxHashrate float64 // hashes per second of all threads together; 0: no limit
	Logger      *slog.Logger

	// OnShare is called with the pool's answer to each share; the reason is
	// empty when it was accepted. It may be nil and must not block.
	OnShare func(accepted bool, reason string)
}

// Stats is how a miner is doing.
type Stats struct {
	Hashes    uint64 // since the start
	Accepted  uint64 // shares
	Rejected  uint64
	Hashrate  float64 // over the last seconds, H/s
	Connected bool    // authorised by the pool
}

// Miner mines. Make one with [New].
type Miner struct {
	config  Config
	address string // host:port
	log     *slog.Logger
	limiter *rate.Limiter // nil: no limit
	chunk   int           // nonces between two looks at the board
	board   *board

	progress *progress // of the one session there is

	hashes    atomic.Uint64
	accepted  atomic.Uint64
	rejected  atomic.Uint64
	hashrate  atomic.Uint64 // bits of a float64
	connected atomic.Bool
}

// maxChunk is about two milliseconds of work.
const maxChunk = 1 << 14

// New returns a miner that has not started. The error says what is wrong with
// the configuration.
func New(c Config) (*Miner, error) {
	address := c.URL
	if scheme, rest, found := strings.Cut(c.URL, "://"); found {
		if scheme != "stratum+tcp" {
			return nil, fmt.Errorf("pool address %q: only stratum+tcp:// is spoken here", c.URL)
		}
		address = strings.TrimSuffix(rest, "/")
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("pool address %q: %w", c.URL, err)
	}
	if c.User == "" {
		return nil, errors.New("user name is empty; it is the payout address, with .name of the worker")
	}
	if c.Threads < 0 || c.MaxHashrate < 0 || math.IsNaN(c.MaxHashrate) {
		return nil, errors.New("threads and hashrate cannot be negative")
	}
	if c.Threads == 0 {
		c.Threads = runtime.GOMAXPROCS(0)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}

	m := &Miner{
		config:   c,
		address:  address,
		log:      c.Logger.With("pool", address),
		chunk:    maxChunk,
		board:    newBoard(),
		progress: newProgress(),
	}
	if c.MaxHashrate > 0 {
		// Short pieces of work and short sleeps between them.
		m.chunk = int(min(maxChunk, max(1, c.MaxHashrate/20/float64(c.Threads))))
		m.limiter = rate.NewLimiter(rate.Limit(c.MaxHashrate), m.chunk*c.Threads)
	}
	return m, nil
}

// Run mines until ctx ends and returns nil then. A connection that is lost or
// refused is tried again, at first soon and then every quarter of a minute.
func (m *Miner) Run(ctx context.Context) error {
	var threads sync.WaitGroup
	for range m.config.Threads {
		threads.Go(func() { m.grind(ctx) })
	}
	threads.Go(func() { m.measure(ctx) })
	defer threads.Wait()

	delay := firstDelay
	for ctx.Err() == nil {
		authorized, err := m.mine(ctx)
		if ctx.Err() != nil {
			break
		}
		if authorized {
			delay = firstDelay
		}
		m.log.Warn("Connection to the pool lost", "err", err, "retry_in", delay.String())
		sleep(ctx, delay+rand.N(delay/2)) // not all miners at once
		delay = min(2*delay, lastDelay)
	}
	return nil
}

// The waiting time before a new attempt doubles from the first to the last.
const (
	firstDelay = 500 * time.Millisecond
	lastDelay  = 15 * time.Second
)

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// Stats returns a snapshot. It may be called at any time.
func (m *Miner) Stats() Stats {
	return Stats{
		Hashes:    m.hashes.Load(),
		Accepted:  m.accepted.Load(),
		Rejected:  m.rejected.Load(),
		Hashrate:  math.Float64frombits(m.hashrate.Load()),
		Connected: m.connected.Load(),
	}
}

// measure keeps the hashrate of Stats: each second moves it a fifth of the way
// to what that second brought.
func (m *Miner) measure(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	var hashes uint64
	var average float64
	at := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			total := m.hashes.Load()
			second := float64(total-hashes) / max(now.Sub(at).Seconds(), 0.001)
			if average == 0 {
				average = second
			}
			average += (second - average) / 5
			hashes, at = total, now
			m.hashrate.Store(math.Float64bits(average))
		}
	}
}
