package stratum

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/dmpool/dmpool/pool/work"
)

// Config is how a server behaves. The zero value of each field stands for the
// default named with it. All of it may change while the server runs, see
// [Server.Apply].
type Config struct {
	StartDifficulty float64 // of a new session; by the miner's user agent
	MinDifficulty   float64 // 1e-5
	MaxDifficulty   float64 // no limit but the network's difficulty

	Mask       uint32        // version bits that miners may roll; work.RollingMask
	OneAddress bool          // all names of a connection must have the address of the first, as its jobs pay that; false
	FixedTime  bool          // the network's bits depend on the time (testnets): never move a job's time; false
	KeepAlive  time.Duration // a session hears of a job at least so often; 30 s
	Grace      time.Duration // how long shares for the block before still count; 3 s
	Away       time.Duration // how long miners are kept while the server is paused; 180 s
	Workless   time.Duration // after this time without a single accepted share a session ends; never

	MaxSessions   int     // 1024; from public addresses only as long as a quarter is free
	MaxPerAddress int     // sessions from one public address; 64
	SubmitRate    float64 // submissions per second and worker name; 200

	TrustedProxies []netip.Prefix // who must begin with a PROXY header; nobody

	Logger *slog.Logger // discards
}

func (c Config) withDefaults() *Config {
	c.MinDifficulty = max(c.MinDifficulty, smallestDifficulty)
	setDefault(&c.Mask, work.RollingMask)
	c.Mask &= work.RollingMask // a job's version has only these bits cleared
	setDefault(&c.KeepAlive, 30*time.Second)
	setDefault(&c.Grace, 3*time.Second)
	setDefault(&c.Away, 180*time.Second)
	setDefault(&c.MaxSessions, 1024)
	setDefault(&c.MaxPerAddress, 64)
	setDefault(&c.SubmitRate, 200)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// smallestDifficulty is a tenth of what the slowest device asks for.
const smallestDifficulty = 1e-5
