package stratum

import (
	"log/slog"
	"math"
	"time"

	"github.com/dmpool/dmpool/pool/work"
)

// Config is how a server behaves. The zero value of each field stands for the
// default named with it.
type Config struct {
	StartDifficulty float64 // of a new session; by the miner's user agent
	MinDifficulty   float64 // 1e-5
	MaxDifficulty   float64 // no limit but the network's difficulty

	Mask        uint32        // version bits that miners may roll; work.RollingMask
	FixedTime   bool          // the network's bits depend on the time (testnets): never move a job's time; false
	MaxSessions int           // 1024
	KeepAlive   time.Duration // a session hears of a job at least so often; 30 s
	Grace       time.Duration // how long shares for the block before still count; 3 s
	Away        time.Duration // how long miners are kept while the server is paused; 180 s
	Logger      *slog.Logger  // discards
}

func (c Config) withDefaults() Config {
	setDefault(&c.Mask, work.RollingMask)
	c.Mask &= work.RollingMask // a job's version has only these bits cleared
	setDefault(&c.MaxSessions, 1024)
	setDefault(&c.KeepAlive, 30*time.Second)
	setDefault(&c.Grace, 3*time.Second)
	setDefault(&c.Away, 180*time.Second)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// bounds are the operator's limits of the difficulty.
type bounds struct{ start, floor, ceiling float64 }

// smallestDifficulty is a tenth of what the slowest device asks for.
const smallestDifficulty = 1e-5

func newBounds(start, floor, ceiling float64) *bounds {
	b := bounds{start: start, floor: max(floor, smallestDifficulty), ceiling: ceiling}
	if b.ceiling <= 0 {
		b.ceiling = math.Inf(1)
	}
	return &b
}
