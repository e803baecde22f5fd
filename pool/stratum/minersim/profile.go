package minersim

import "time"

// Profile is one kind of miner. The zero value of a limit means that the
// firmware has none.
type Profile struct {
	Name string

	// What it says. The lines are templates; see [Step].
	Opening    []Step        // after connecting
	Authorized []Step        // once it has been let in
	EachJob    string        // to every job
	Chatter    string        // now and then, as a sign of life
	ChatEvery  time.Duration // that often
	Names      int           // usernames on one connection; 0 means one
	Strangers  int           // more usernames that submit without having authorised

	// How it submits.
	Submit     string // template of the line
	SubmitID   int    // id of the first share; the next ones count on
	OneID      bool   // every share has that id
	ShortNonce bool   // leaves out leading zeros of the nonce
	Spaces     bool   // pads extranonce2 with spaces instead of zeros

	// How it searches.
	Extranonce Extranonce
	FirstNonce uint32
	Rolling    Rolling
	RollTime   bool          // moves the time of a job on, second by second
	Lag        time.Duration // goes on with the old job for so long after a new one

	// How it reads a difficulty.
	Applies  Timing
	Truncate bool // as uint32: a half is nothing
	Loose    bool // as pdiff, which is easier by 0.0015 %

	// What it cannot bear.
	LineLimit     int // bytes of a line
	NotifyLimit   int // bytes of a mining.notify
	CoinbaseLimit int // bytes of the coinbase without witness
	MaxBranches   int
	JobMemory     int           // so many of the last jobs must have numbers of their own
	NeedsMask     uint32        // version bits that it rolls whatever was agreed
	Silence       time.Duration // it hangs up when it hears nothing for so long

	// How it comes and goes.
	Retry    time.Duration // between two connections
	Keeps    time.Duration // goes on mining without a connection for so long, and sends what it found if its extranonce1 comes back
	Attempts int           // connections in a row without work, then it turns to another pool; 0: never
	Visit    Visit
}

// usernames returns how many names submit shares, those first that authorise.
func (p *Profile) usernames() int { return p.authorised() + p.Strangers }

func (p *Profile) authorised() int { return max(1, p.Names) }

// Step is a line to the pool and how the device waits for its answer. In a
// line, $user, $password, $sid, $job and $id stand for what they say; a share
// has $en2, $ntime, $nonce and $version, too.
type Step struct {
	Line   string
	Later  string // in place of Line when the device was connected before; $sid is the old session's id
	Wait   Wait
	Within time.Duration // the device waits no longer than this
	Each   bool          // said for each name
}

// Wait is how a device waits for an answer.
type Wait uint8

const (
	Pipelined Wait = iota // not at all
	NextLine              // it takes whatever line comes next for the answer
	Answer                // it takes what is neither a job nor a difficulty for the answer
)

// Timing is when a new difficulty counts.
type Timing uint8

const (
	NextJob Timing = iota // from the next job on: the last one announced before it
	Stacked               // from the next job on, but one per job, in the order of their coming
	AtOnce                // for the present job, too
)

// Rolling is what a device does with the version.
type Rolling uint8

const (
	NoRolling Rolling = iota
	RollOr            // adds bits, submits the bits
	RollXor           // adds bits, submits the difference to the job's version
	RollFull          // adds bits, submits the whole version
)

// Extranonce is where extranonce2 begins.
type Extranonce uint8

const (
	Counting   Extranonce = iota // goes on from job to job
	Restarting                   // at 0 with every job
	Standing                     // at 1 and stays there: the nonces have to do
)

// Visit is how long a device stays.
type Visit uint8

const (
	Stay      Visit = iota
	OneRead         // looks into the first bytes that come and hangs up
	UntilWork       // hangs up with the first job
)
