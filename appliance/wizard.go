package appliance

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/dmpool/dmpool/pool/sqlite"
)

//go:embed schema/*.sql
var wizardFiles embed.FS

// Wizard is a box before its first set-up. It asks, keeps the answers over
// restarts, and ends with [SetUp], the same that "dmpool setup --answers" runs.
// Nothing of the box itself is open until then: the network is one of the
// answers, and each network has its own databases. After that, [Wizard.Open]
// makes the box.
//
// Its methods may be called concurrently.
type Wizard struct {
	config  Config
	dir     dataDir
	log     *slog.Logger
	address string // of the pages
	db      *sqlite.DB
	lock    *os.File
	core    *coreFetcher
	ended   chan struct{} // closed when there is an operator

	receiving sync.Mutex // held while a backup is uploaded or takes its place
	backup    *Restoration

	mu     sync.Mutex // held while something is decided: a claim or an answer
	code   ClaimCode
	tries  map[string]*attempts
	closed bool
}

// NeedsSetUp tells whether a data directory has no operator yet, on the network
// that it is used with, or would be.
func NeedsSetUp(ctx context.Context, dir, network string) (bool, error) {
	d := dataDir{dir}
	if err := d.goOnRestoring(); err != nil {
		return false, err
	}
	network, err := d.chosenNetwork(network)
	if err != nil {
		return false, err
	}
	done, err := d.isSetUp(ctx, network)
	return !done, err
}

// NewWizard takes the data directory for this process and makes the claim code.
// address is where the pages are, such as http://192.168.1.50:8080.
func NewWizard(ctx context.Context, c Config, address string) (*Wizard, error) {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if err := c.External.check(); err != nil {
		return nil, err
	}
	root, err := filepath.Abs(c.DataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	w := &Wizard{config: c, dir: dataDir{root}, log: c.Logger, address: address, ended: make(chan struct{}), tries: map[string]*attempts{}}
	if err := w.open(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

func (w *Wizard) open(ctx context.Context) error {
	network, err := w.dir.chosenNetwork(w.config.Network)
	if err != nil {
		return err
	}
	if err := w.dir.prepare(network); err != nil {
		return err
	}
	if w.lock, err = w.dir.lock(); err != nil {
		return err
	}
	if err := w.dir.finishRestore(); err != nil {
		return err
	}
	// A set-up from a file that names no network means this one.
	if err := w.dir.setNetwork(network); err != nil {
		return err
	}
	if w.db, err = openWizardDB(ctx, w.dir); err != nil {
		return err
	}
	if w.core, err = newCoreFetcher(w); err != nil {
		return err
	}
	if err := w.keepCode(ctx); err != nil {
		return err
	}
	return w.followNode(ctx)
}

func openWizardDB(ctx context.Context, d dataDir) (*sqlite.DB, error) {
	files, err := fs.Sub(wizardFiles, "schema")
	if err != nil {
		return nil, fmt.Errorf("open set-up: %w", err)
	}
	db, err := sqlite.Open(ctx, d.wizard(), sqlite.Schema{FS: files, ApplicationID: 0x444d5355}) // "DMSU"
	if err != nil {
		return nil, fmt.Errorf("open set-up: %w", err)
	}
	return db, nil
}

// clearSetUp removes what the wizard kept, once there is an operator. What of it is
// secret cannot be read any more when its key is gone, which goes first.
func (d dataDir) clearSetUp(ctx context.Context, db *sqlite.DB) error {
	if done, err := hasOperator(ctx, db.Reader()); err != nil || !done {
		return err
	}
	if err := shred(d.wizardKey()); err != nil {
		return fmt.Errorf("remove what the set-up kept: %w", err)
	}
	for _, file := range []string{d.wizard(), d.wizard() + "-wal", d.wizard() + "-shm", d.claimFile()} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove what the set-up kept: %w", err)
		}
	}
	return nil
}

// Address returns where the pages are.
func (w *Wizard) Address() string { return w.address }

// Addresses returns the IP addresses of this machine, those of the home network
// first.
func (w *Wizard) Addresses() []string { return lanAddresses() }

// Ended is closed when there is an operator, whoever made it.
func (w *Wizard) Ended() <-chan struct{} { return w.ended }

// Await returns when there is an operator: the pages, or another process, do the
// set-up meanwhile. One that was ordered before a crash is done first.
func (w *Wizard) Await(ctx context.Context) error {
	tellSystemd(w.log, daemon.SdNotifyReady)
	feeding, stop := context.WithCancel(ctx)
	var feeder sync.WaitGroup
	feeder.Go(func() {
		newWatchdog(w.log).run(feeding, func() []part { return []part{{"set-up", w.db.Touch}} },
			func() string { return "Waiting for the first set-up, at " + w.address })
	})
	defer feeder.Wait()
	defer stop()
	// Answers that do not do any more are shown on the last page, to be changed.
	err := w.resume(ctx)
	if _, refused := errors.AsType[*PersonError](err); err != nil && !refused {
		return err
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		network, err := w.dir.network()
		if err != nil {
			return err
		}
		done, err := w.dir.isSetUp(ctx, network)
		if err != nil {
			return err
		}
		if done {
			w.end()
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.ended:
			return nil
		case <-tick.C:
		}
	}
}

func (w *Wizard) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-w.ended:
	default:
		close(w.ended)
	}
}

// Open makes the box that was set up. The wizard is closed then, and the data
// directory stays taken in between.
func (w *Wizard) Open(ctx context.Context) (*Appliance, error) {
	c := w.config
	c.lock, w.lock = w.lock, nil
	if err := w.Close(); err != nil {
		return nil, errors.Join(err, c.lock.Close())
	}
	return New(ctx, c)
}

// Close releases what [NewWizard] took. It leaves the listeners alone.
func (w *Wizard) Close() error {
	if w.core != nil {
		w.core.close()
	}
	var errs []error
	if err := w.DropBackup(); err != nil {
		errs = append(errs, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.db != nil && !w.closed {
		errs = append(errs, w.db.Close())
	}
	if w.lock != nil && !w.closed {
		errs = append(errs, w.lock.Close())
	}
	w.closed = true
	return errors.Join(errs...)
}

// Answer keeps the part of the answers that belongs to a step. What is wrong with
// it is a [*PersonError] of joined sentences, and nothing is kept then.
func (w *Wizard) Answer(ctx context.Context, step string, piece Answers) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := slices.IndexFunc(wizardSteps(), func(s wizardStep) bool { return s.name == step })
	if i < 0 {
		return fmt.Errorf("the set-up has no step %q", step)
	}
	s := wizardSteps()[i]
	d, err := w.read(ctx)
	if err != nil {
		return err
	}
	s.inherit(&piece, &d.Answers)
	s.take(&d.Answers, &piece)
	if err := s.check(w, ctx, &d.Answers); err != nil {
		return &PersonError{err}
	}
	var kept Answers
	s.take(&kept, &d.Answers)
	if err := w.note(ctx, step, "done", kept, ""); err != nil {
		return err
	}
	if step != StepNode && step != StepNetwork {
		return nil
	}
	return w.followNode(ctx)
}

// note writes the row of a step.
func (w *Wizard) note(ctx context.Context, step, state string, payload Answers, problem string) error {
	if err := w.hide(&payload.Wallet); err != nil {
		return err
	}
	text, err := json.Marshal(payload)
	if err != nil {
		return fmt.Errorf("encode set-up step %s: %w", step, err)
	}
	return w.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO step (step, state, payload, error, at) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (step) DO UPDATE SET state = excluded.state, payload = excluded.payload, error = excluded.error, at = excluded.at`,
			step, state, string(text), problem, time.Now().UnixMilli())
		if err != nil {
			return fmt.Errorf("write set-up step %s: %w", step, err)
		}
		return nil
	})
}

// stepFinish is the row of the set-up itself, behind all questions.
const stepFinish = "finish"

// Finish sets the box up with the answers. An order that a crash cuts short is
// carried out at the next start. A [*PersonError] says what is in the way.
func (w *Wizard) Finish(ctx context.Context) error {
	d, err := w.read(ctx)
	if err != nil {
		return err
	}
	if d.Next() != "" {
		return &PersonError{errors.New("the set-up has questions left; answer them first")}
	}
	if err := w.note(ctx, stepFinish, "begun", Answers{}, ""); err != nil {
		return err
	}
	return w.resume(ctx)
}

// resume carries out a set-up that was ordered.
func (w *Wizard) resume(ctx context.Context) error {
	var state string
	err := w.db.Reader().QueryRowContext(ctx, `SELECT state FROM step WHERE step = ?`, stepFinish).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) || err == nil && state != "begun" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read set-up: %w", err)
	}
	d, err := w.read(ctx)
	if err != nil {
		return err
	}
	if !d.needsWallet() {
		d.Wallet = WalletAnswer{Unlock: unlockAuto} // for the day on which the rules change
	}
	d.nodeDisk = w.config.nodeDisk(w.dir, d.Network)
	err = SetUp(ctx, w.dir.root, d.Answers)
	switch {
	case errors.Is(err, ErrSetUp):
	case ctx.Err() != nil:
		return err
	case err != nil:
		w.log.Warn("Set-up did not come to its end", "err", err)
		return errors.Join(&PersonError{err}, w.note(ctx, stepFinish, "failed", Answers{}, err.Error()))
	default:
		w.log.Info("The box is set up", "network", d.Network, "operator", d.Operator.User)
	}
	w.end()
	return nil
}
