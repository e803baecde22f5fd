package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sync/errgroup"

	"github.com/dmpool/dmpool/appliance/alert"
	"github.com/dmpool/dmpool/appliance/backup/place"
	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/bitcoind/snapshot"
	"github.com/dmpool/dmpool/appliance/device"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Config is what a box needs to know at its start; everything else is a setting
// in its database.
type Config struct {
	DataDir   string
	Network   string          // only for the first start; later the data directory's own counts
	Bitcoind  string          // path of the node's program, empty: look for it
	External  ExternalNode    // a node that somebody else runs, instead of one of ours
	Service   *NodeService    // the node is a unit of systemd; nil: a child of this process
	Offline   bool            // the node looks for no peers: for rehearsals
	Core      CoreConfig      // where Bitcoin Core comes from when there is none
	Snapshots []snapshot.Base // blocks behind which the node can begin, the newest first; nil: those in this program
	Devices   device.Config   // where miners are looked for; zero: in the home network
	Stratum   []net.Listener  // open ports for miners; the appliance closes them
	Sockets   Sockets         // what the service manager has opened; those for miners are closed, too
	Alerts    AlertConfig     // what alerts need from outside
	Release   string          // of this program
	Built     time.Time       // its date, before which no clock can be right; zero: not known
	Logger    *slog.Logger

	lock       *os.File // of the data directory, where a [Wizard] has it
	backupWork int      // what a guess at a backup's passphrase costs, see [backup.Lock]; tests have no time
}

// Appliance is one box. Make one with [New], run it, close it.
type Appliance struct {
	config    Config
	dir       dataDir
	network   string
	log       *slog.Logger
	startedAt time.Time
	events    pool.Events
	gate      *gate
	audited   auditCheck
	lockFile  *os.File

	db      *sqlite.DB
	shares  *shares.Log
	ledger  *ledger.Ledger
	payouts *payout.Desk
	node    *node.Client
	keys    *keyring
	wallet  *walletKeeper
	core    *coreKeeper
	drills  *drillKeeper
	devices *deviceKeeper

	alerts    *alert.Bell
	snapshot  snapshotKeeper
	login     node.Config            // of a node that somebody else runs
	abilities abilities              // of that node
	found     atomic.Pointer[string] // a node that runs here and is not used, a sentence

	rules     rules
	pool      atomic.Pointer[pool.Pool]
	runner    atomic.Pointer[nodeRunner]
	schedule  atomic.Pointer[scheduler]
	orders    backupOrders
	patience  place.Patience // with folders of backups
	speed     speedometer    // of the node's download
	monitor   monitor
	sounder   sounder
	working   atWork
	nodeReady chan struct{} // a value each time the node became ready

	loginFailures atomic.Uint64
}

// nodeRunner makes any runner fit into an atomic pointer.
type nodeRunner struct{ bitcoind.Runner }

// New opens the data directory and takes it for this process. It starts
// nothing. Its errors are sentences for the person at the terminal.
func New(ctx context.Context, c Config) (*Appliance, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if err := c.External.check(); err != nil {
		return nil, err
	}
	if err := c.Service.check(c); err != nil {
		return nil, err
	}
	if _, err := c.External.login(); err != nil { // before anything is opened
		return nil, err
	}
	root, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	a := &Appliance{config: c, dir: dataDir{root}, log: c.Logger, lockFile: c.lock, startedAt: time.Now(), nodeReady: make(chan struct{}, 1)}
	a.orders.next = make(chan func(context.Context) error, 1)
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *Appliance) open(ctx context.Context) (err error) {
	if err := a.dir.goOnRestoring(); err != nil { // first, for it decides which network this is
		return err
	}
	if a.network, err = a.dir.chosenNetwork(a.config.Network); err != nil {
		return err
	}
	if err := a.dir.prepare(a.network); err != nil {
		return err
	}
	if a.lockFile == nil {
		if a.lockFile, err = a.dir.lock(); err != nil {
			return err
		}
	}
	if err := a.dir.finishRestore(); err != nil {
		return err
	}
	if err := a.dir.upgrade(ctx, a.network, a.log); err != nil {
		return err
	}
	if a.db, err = sqlite.Open(ctx, a.dir.ledger(a.network), ledger.Schema); err != nil {
		return fmt.Errorf("open ledger: %w", err)
	}
	if err := a.dir.setNetwork(a.network); err != nil {
		return err
	}
	if err := a.noteRelease(ctx); err != nil {
		return err
	}
	if err := a.chooseNode(ctx); err != nil {
		return err
	}
	if err := a.dir.clearSetUp(ctx, a.db); err != nil {
		return err
	}
	if a.gate, err = newGate(); err != nil {
		return err
	}
	if a.core, err = newCoreKeeper(a); err != nil {
		return err
	}
	if err := a.snapshot.open(ctx, a); err != nil {
		return err
	}
	if a.drills, err = newDrillKeeper(a); err != nil {
		return err
	}
	a.devices = newDeviceKeeper(a, a.config.Devices)
	if a.alerts, err = a.newBell(ctx); err != nil {
		return err
	}
	a.ledger = ledger.New(a.db)
	defaults := pool.DefaultSettings(a.network)
	a.rules.now.Store(&defaults)
	return nil
}

// Close releases what [New] took. Call it after Run has returned.
func (a *Appliance) Close() error {
	var errs []error
	if a.keys != nil {
		a.keys.forget()
		a.wallet.forget()
	}
	for _, ln := range append(a.config.Sockets.extra(), a.config.Stratum...) {
		if err := ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	if a.shares != nil {
		errs = append(errs, a.shares.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	if a.lockFile != nil {
		errs = append(errs, a.lockFile.Close())
	}
	return errors.Join(errs...)
}

// ErrNotSetUp says that there is no operator yet; see [Wizard].
var ErrNotSetUp = errors.New("this box is not set up yet; run dmpool setup, or dmpool serve and open its pages")

// Run runs node, wallet, pool and jobs until ctx ends. Everything stops in order:
// miners first, the node last. It returns nil when ctx ended it.
func (a *Appliance) Run(ctx context.Context) error {
	if done, err := hasOperator(ctx, a.db.Reader()); err != nil || !done {
		return stopped(ctx, errors.Join(err, when(!done, ErrNotSetUp)))
	}
	tellSystemd(a.log, daemon.SdNotifyReady)
	defer context.AfterFunc(ctx, func() {
		tellSystemd(a.log, daemon.SdNotifyStopping+"\nSTATUS=Stopping: miners first, the node last.")
	})()
	keeping, stopKeeping := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	keeper.Go(func() { a.tellHealth(keeping) })
	keeper.Go(func() { newWatchdog(a.log).run(keeping, a.vitalParts, a.statusLine) })
	defer keeper.Wait()
	defer stopKeeping()
	if err := a.awaitClock(ctx); err != nil {
		return stopped(ctx, err)
	}
	keeper.Go(func() { a.core.run(keeping) })
	keeper.Go(func() { a.drills.run(keeping) })
	keeper.Go(func() { a.monitor.run(keeping, a) })
	keeper.Go(func() { a.devices.run(keeping) })
	keeper.Go(func() { a.alerts.Run(keeping) })
	if !a.config.Alerts.byHand {
		keeper.Go(func() { a.lookOut(keeping) })
	}
	a.lookAround(ctx)
	a.core.getWanted(ctx)
	if err := a.core.await(ctx); err != nil {
		return stopped(ctx, err)
	}
	runner, source, err := a.assemble(ctx)
	if err != nil {
		return stopped(ctx, err)
	}

	// The node has a life of its own: it stops when nobody needs it any more.
	nodeCtx, stopNode := context.WithCancel(context.WithoutCancel(ctx))
	defer stopNode()
	nodeEnded := make(chan error, 1)
	go func() { nodeEnded <- runner.Run(nodeCtx) }()

	p, err := pool.New(pool.Config{
		Network: a.network, Maturity: a.maturity(), Node: a.node, Source: source,
		Shares: a.shares, Ledger: a.ledger, Dir: a.dir.of(a.network), Settings: a.Settings(),
		Listeners: a.config.Stratum, Ports: a.extraPorts(), Events: &a.events, Logger: a.log,
	})
	if err == nil {
		a.pool.Store(p)
		if err = errors.Join(a.catchUp(ctx), a.enforceBans(ctx)); err == nil {
			err = a.runPool(ctx, p, nodeEnded)
		}
	}
	stopNode()
	err = errors.Join(stopped(ctx, err), <-nodeEnded)
	a.node.CloseIdle()
	return err
}

// runPool runs everything that needs the node, until ctx ends or the node can
// not be run at all.
func (a *Appliance) runPool(ctx context.Context, p *pool.Pool, nodeEnded chan error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.Run(ctx) })
	g.Go(func() error { return a.wallet.run(ctx) })
	g.Go(func() error { return a.watchNode(ctx) })
	g.Go(func() error { return a.measureSync(ctx) })
	g.Go(func() error { return a.keepRoom(ctx) })
	g.Go(func() error { return a.sounder.run(ctx, a) })
	g.Go(func() error { return a.snapshot.run(ctx) })
	g.Go(func() error { return a.followPayouts(ctx) })
	g.Go(func() error { return a.carryOutBackups(ctx) })
	g.Go(func() error {
		s, err := newScheduler(a)
		if err != nil {
			return err
		}
		return s.run(ctx)
	})
	g.Go(func() error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-nodeEnded:
			nodeEnded <- nil
			return fmt.Errorf("run node: %w", err)
		}
	})
	return g.Wait()
}

// stopped turns the error of an ended context into nil.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// assemble reads the settings and makes the parts. It starts nothing.
func (a *Appliance) assemble(ctx context.Context) (bitcoind.Runner, *node.Source, error) {
	settings, rev, err := a.StoredSettings(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := a.rules.apply(rev, settings, nil); err != nil {
		return nil, nil, err
	}
	var wallet walletSettings
	if _, err := a.readSetting(ctx, settingWallet, &wallet); err != nil {
		return nil, nil, err
	}
	if a.shares, err = shares.Open(ctx, a.dir.shares(a.network), shares.Options{Logger: a.log}); err != nil {
		return nil, nil, fmt.Errorf("open share log: %w", err)
	}
	runner, zmq, err := a.makeNode(ctx, wallet.Name)
	if err != nil {
		return nil, nil, err
	}
	a.keys = &keyring{file: a.dir.passphrase(a.network), unlock: wallet.Unlock}
	a.wallet = newWalletKeeper(a, wallet, a.walletCopies())
	a.payouts = payout.New(a.db, a.ledger, paying{a.node, a}, a.payoutPolicy, a.keys, recordDeed, a.tellPayout, a.log)
	a.runner.Store(&nodeRunner{runner})
	return runner, node.NewSource(a.node, zmq, a.log), nil
}
