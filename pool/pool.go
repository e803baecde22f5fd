package pool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// Node is what the pool needs of a Bitcoin node; *node.Client is one.
type Node interface {
	BlockchainInfo(ctx context.Context) (node.ChainInfo, error)
	Header(ctx context.Context, hash chainhash.Hash) (node.Header, error)
	SubmitBlock(ctx context.Context, raw []byte) (string, error)
	ProposeBlock(ctx context.Context, raw []byte) (reason string, err error)
	Vouch(ctx context.Context) error // nil: it follows the chain of this pool
}

// Config is what a pool is made of. The caller opens and closes the databases.
type Config struct {
	Network   string         // a network of the glossary
	Maturity  int32          // confirmations at which a block's reward becomes payable
	Script    []byte         // scriptPubKey of the pool's wallet, which gets what a coinbase does not pay to miners; nil until SetScript
	Node      Node           //
	Source    *node.Source   // templates
	Shares    *shares.Log    //
	Ledger    *ledger.Ledger //
	Dir       string         // folder for blocks that the ledger is slow to take
	Settings  Settings       //
	Listeners []net.Listener // Stratum
	Ports     ExtraPorts     // of Stratum, besides Listeners
	Events    *Events        //
	Logger    *slog.Logger   //
}

// Pool is a running pool. Make one with [New]; all methods are safe for
// concurrent use.
type Pool struct {
	Config
	server    *stratum.Server
	startedAt time.Time

	settings atomic.Pointer[Settings]
	script   atomic.Pointer[[]byte]
	serving  atomic.Pointer[serving]
	heldTip  atomic.Pointer[chainhash.Hash] // of the last template that was held back
	again    chan struct{}                  // asks the template loop for another job of the last template
	doubts   chan error                     // jobs of single miners that failed their check
	rejected chan rejection                 // coinbases that cost a block
	direct   direct                         // of the template loop alone
	ports    chan struct{}                  // tells the extra ports of new settings

	portStatus atomic.Pointer[[]PortStatus]
	began      atomic.Bool  // Run has started its loops
	lastTell   atomic.Int64 // unix second of the last "share" event

	lasting  context.Context // ends after the last block in flight, not with Run's context
	inFlight sync.WaitGroup  // found blocks on their way to disk and node
	lately   sync.Map        // hash → underWay or done: blocks found on this tip
	chain    chan sweep      // wakes the chain loop
	turn     chan struct{}   // held by the pass over the blocks that is under way
}

// serving is what the miners work on, or why they do not.
type serving struct {
	order
	template *work.Template
	at       time.Time
	tipAt    time.Time
	offered  time.Time // when the first template of the tip arrived
	fees     int64     // of the template's transactions, satoshis
	reason   string    // why no jobs leave the pool; empty while they do
	idle     bool      // miners wait meanwhile, however long it takes
}

// New makes a pool that has not started.
func New(c Config) (*Pool, error) {
	if err := c.Settings.Validate(); err != nil {
		return nil, fmt.Errorf("check settings: %w", err)
	}
	p := &Pool{
		Config:    c,
		startedAt: time.Now(),
		again:     make(chan struct{}, 1),
		doubts:    make(chan error, 1),
		rejected:  make(chan rejection, 1),
		direct:    newDirect(),
		ports:     make(chan struct{}, 1),
		chain:     make(chan sweep, 1),
		turn:      make(chan struct{}, 1),
	}
	if c.Script != nil {
		p.script.Store(&c.Script)
	}
	settings := c.Settings
	p.settings.Store(&settings)
	p.portStatus.Store(&[]PortStatus{})
	p.serving.Store(&serving{reason: "waiting for the first block template from the node"})
	p.server = stratum.NewServer(p.stratumConfig(settings), p)
	return p, nil
}

// Apply takes new settings into use: the next job carries them.
func (p *Pool) Apply(s Settings) error {
	if err := s.Validate(); err != nil {
		return fmt.Errorf("check settings: %w", err)
	}
	p.settings.Store(&s)
	p.server.Apply(p.stratumConfig(s))
	p.offerAgain()
	poke(p.ports)
	return nil
}

// stratumConfig is the part of the settings that miners feel.
func (p *Pool) stratumConfig(s Settings) stratum.Config {
	proxies, _ := s.trustedProxies() // validated
	return stratum.Config{
		TrustedProxies:  proxies,
		StartDifficulty: s.StartDifficulty,
		MinDifficulty:   s.MinDifficulty,
		MaxDifficulty:   s.MaxDifficulty,
		FixedTime:       p.bitsDependOnTime(),
		OneAddress:      s.Settlement == ledger.SettlementSolo,
		MaxSessions:     s.MaxSessions,
		MaxPerAddress:   s.MaxPerAddress,
		SubmitRate:      s.SubmitRate,
		Workless:        time.Duration(s.WorklessSecs) * time.Second,
		Logger:          p.Logger,
	}
}

// Enforce replaces who may not mine here, see [stratum.Server.Enforce].
func (p *Pool) Enforce(list []stratum.Ban) { p.server.Enforce(list) }

// SetScript tells the pool which script of its wallet gets what a coinbase does
// not pay to miners. No job leaves the pool before it is known, unless none pays
// it anything, see [Settings.NeedsWallet].
func (p *Pool) SetScript(script []byte) {
	p.script.Store(&script)
	p.offerAgain()
}

func (p *Pool) offerAgain() { poke(p.again) }

// poke wakes whoever waits on a channel that has room for one value.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run mines until ctx ends and returns when everything that was begun is done:
// sessions drained, shares committed, found blocks handed to the node. It
// returns nil when ctx ended it.
func (p *Pool) Run(ctx context.Context) error {
	// The share log outlives the sessions that write to it, and a found block
	// outlives both.
	logCtx, endLog := context.WithCancel(context.WithoutCancel(ctx))
	defer endLog()
	lasting, endLasting := context.WithCancel(context.WithoutCancel(ctx))
	defer endLasting()
	p.lasting = lasting

	logEnded := make(chan error, 1)
	go func() { logEnded <- p.Shares.Run(logCtx) }()
	p.began.Store(true)

	if err := p.spool().replay(ctx, p.Ledger); err != nil {
		p.Logger.Error("Blocks from before the start not recorded", "err", err)
	}
	p.freezeLeftOpen(ctx)
	p.recallMiners(ctx)
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.Source.Run(gctx) })
	g.Go(func() error { return p.serveTemplates(gctx) })
	g.Go(func() error { return p.followChain(gctx) })
	for _, ln := range p.Listeners {
		g.Go(func() error { return p.server.Serve(gctx, ln) })
	}
	g.Go(func() error { return p.serveExtraPorts(gctx) })
	g.Go(func() error { return p.rememberMiners(gctx) })
	err := g.Wait()
	p.rememberSessions(lasting)

	// A block that the node has not answered for yet gets a little longer; it
	// is on disk and is submitted again at the next start in any case.
	patience := time.AfterFunc(blockPatience, endLasting)
	p.inFlight.Wait()
	patience.Stop()
	endLog()
	if logErr := <-logEnded; logErr != nil && !errors.Is(logErr, context.Canceled) {
		err = errors.Join(err, fmt.Errorf("run share log: %w", logErr))
	}
	if ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)) {
		return nil
	}
	return err
}

// Authorize implements [stratum.Backend]: a username is a payout address of
// this network and the worker's name.
func (p *Pool) Authorize(_ context.Context, username string) (stratum.Worker, error) {
	u, err := ParseUsername(username, p.Network)
	if err != nil {
		return stratum.Worker{}, &stratum.RefusalError{Reason: sentence(err)}
	}
	return stratum.Worker{Address: u.Address, Script: u.Script, Name: u.Worker, FixedDifficulty: u.Difficulty}, nil
}

// Accepted implements [stratum.Backend]: it queues a valid share for the share
// log. A share that found a block also freezes that block's split, as soon as
// the share is on disk.
func (p *Pool) Accepted(ctx context.Context, s stratum.Share) (stratum.Commit, error) {
	entry := shareEntry(s)
	commit, err := p.Shares.Append(ctx, entry)
	if err != nil {
		return nil, fmt.Errorf("queue share: %w", err)
	}
	if s.Proof.Block {
		p.inFlight.Go(func() { p.freezeWhenCommitted(s.Proof.Hash, commit) })
	}
	p.tellShare(s)
	return commit, nil
}

// Rejected implements [stratum.Backend]: it counts a verdict.
func (p *Pool) Rejected(w stratum.Worker, reason string) {
	p.Shares.Reject(w.Address, w.Name, reason, time.Now())
}

// shareEntry is the share as the share log keeps it.
func shareEntry(s stratum.Share) shares.Share {
	entry := shares.Share{
		Address:    s.Worker.Address,
		Script:     s.Worker.Script,
		Worker:     s.Worker.Name,
		At:         s.At,
		Work:       s.Work,
		Difficulty: s.Difficulty,
		Achieved:   work.HashDifficulty(s.Proof.Hash),
		Bits:       s.Job.Bits,
		Late:       s.Late,
		UserAgent:  s.UserAgent,
	}
	if s.Proof.Block {
		hash := s.Proof.Hash
		entry.Block = &hash
	}
	return entry
}

// tellShare publishes a "share" event, at most one a second: pages only need to
// know that there is something new to read.
func (p *Pool) tellShare(s stratum.Share) {
	now := s.At.Unix()
	if last := p.lastTell.Load(); now == last || !p.lastTell.CompareAndSwap(last, now) {
		return
	}
	p.Events.Publish(Event{
		Kind: "share", At: s.At, Height: s.Job.Height,
		Address: s.Worker.Address, Worker: s.Worker.Name,
	})
}
