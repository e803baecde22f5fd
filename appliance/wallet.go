package appliance

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/node"
)

// WalletStatus is how the pool's wallet is, for the pages.
type WalletStatus struct {
	Name     string
	Address  string // paid by every coinbase
	Unlock   string // "auto" or "ask"
	Cold     bool   // it has no private keys: payouts are exported, signed elsewhere and imported
	NeedsKey bool   // the operator has to type the passphrase before the next payout
	Trusted  int64  // satoshis that can be spent now
	Immature int64  // satoshis of coinbases that are too young
	Pending  int64  // satoshis of incoming transactions without a confirmation
	Known    bool   // the amounts above were read from the node
	Problem  string // sentence, empty when all is well
}

// walletKeeper makes the wallet, loads it after every start of the node, and
// knows which script the pool mines to.
type walletKeeper struct {
	a    *Appliance
	keys *keyring
	name string

	mu      sync.Mutex
	problem string
	loaded  bool
}

const (
	walletRetry   = time.Second
	walletRecheck = 30 * time.Second
)

// run keeps the wallet loaded until ctx ends.
func (w *walletKeeper) run(ctx context.Context) error {
	timer := time.NewTimer(walletRecheck)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-w.a.nodeReady:
		case <-timer.C:
		}
		err := w.open(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		w.note(err)
		timer.Reset(walletRecheck)
		if err != nil {
			timer.Reset(walletRetry)
		}
	}
}

func (w *walletKeeper) note(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loaded = err == nil
	problem := ""
	if err != nil {
		problem = err.Error()
		if problem != w.problem {
			w.a.log.Warn("Wallet is not ready", "err", err)
		}
	} else if w.problem != "" {
		w.a.log.Info("Wallet is ready")
	}
	w.problem = problem
}

// ready tells whether the wallet was loaded when it was looked at last.
func (w *walletKeeper) ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loaded
}

// open loads the wallet, or makes it when there has never been one, and tells
// the pool its script. A wallet of that name that is there already is taken as it
// is: one without private keys, whose descriptors were imported from a machine
// that keeps them, makes this a box whose payouts are signed elsewhere.
func (w *walletKeeper) open(ctx context.Context) error {
	var address string
	known, err := w.a.readSetting(ctx, settingReward, &address)
	if err != nil {
		return err
	}
	// Not in a node of another chain, whose wallet signs by other rules.
	if err := w.a.node.Vouch(ctx); err != nil {
		return err
	}
	err = w.a.node.LoadWallet(ctx, w.name)
	if node.IsCode(err, node.ErrCodeNoWallet) {
		if known {
			return fmt.Errorf("wallet %s is gone from the node's directory although blocks were paid to it; restore it from a backup", w.name)
		}
		err = w.create(ctx)
	}
	if err != nil {
		return fmt.Errorf("open wallet %s: %w", w.name, err)
	}
	if !known {
		if address, err = w.a.node.NewAddress(ctx, "dmpool reward"); err != nil {
			return fmt.Errorf("make reward address: %w", err)
		}
	}
	info, err := w.a.node.AddressInfo(ctx, address)
	if err != nil {
		return fmt.Errorf("check reward address: %w", err)
	}
	if !info.Mine {
		return fmt.Errorf("wallet %s does not own the reward address; it is another wallet of the same name", w.name)
	}
	_, script, err := pool.ParseAddress(address, w.a.network)
	if err != nil {
		return fmt.Errorf("check reward address: %w", err)
	}
	if !known {
		if err := w.a.saveSetting(ctx, settingReward, address); err != nil {
			return err
		}
	}
	w.a.pool.Load().SetScript(script)
	return w.keys.forgetFile()
}

// create makes the wallet encrypted at birth: encrypting it later would change
// its seed (money.md 0.9).
func (w *walletKeeper) create(ctx context.Context) error {
	passphrase, err := w.keys.Passphrase(ctx)
	if err != nil {
		return err
	}
	if err := w.a.node.CreateWallet(ctx, w.name, passphrase); err != nil {
		return err
	}
	w.a.log.Info("Wallet created", "wallet", w.name)
	return nil
}

// ErrPassphrase says that the passphrase does not open the wallet.
var ErrPassphrase = errors.New("the wallet does not open with this passphrase")

// UnlockWallet checks a passphrase that the operator typed and keeps it in
// memory until the box stops. It returns [ErrPassphrase] when it is wrong.
func (a *Appliance) UnlockWallet(ctx context.Context, passphrase, actor, ip string) error {
	err := a.payouts.TryPassphrase(ctx, passphrase)
	if node.IsCode(err, node.ErrCodeWrongPassphrase) {
		if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "wallet.unlock", Result: "wrong passphrase", IP: ip}); err != nil {
			return err
		}
		return ErrPassphrase
	}
	if err != nil {
		return fmt.Errorf("unlock wallet: %w", err)
	}
	a.keys.remember(passphrase)
	return a.Audit(ctx, AuditEntry{Actor: actor, Action: "wallet.unlock", Result: "ok", IP: ip})
}

// Wallet asks the node how the wallet is.
func (a *Appliance) Wallet(ctx context.Context) WalletStatus {
	s := WalletStatus{Name: a.wallet.name, Unlock: a.keys.unlock}
	a.wallet.mu.Lock()
	s.Problem = a.wallet.problem
	loaded := a.wallet.loaded
	a.wallet.mu.Unlock()
	if _, err := a.readSetting(ctx, settingReward, &s.Address); err != nil {
		s.Problem = err.Error()
		return s
	}
	s.Cold = a.payouts.Cold()
	if _, err := a.keys.Passphrase(ctx); err != nil && !s.Cold {
		s.NeedsKey = true
	}
	if !loaded {
		if s.Problem == "" {
			s.Problem = "the wallet is not loaded yet; it opens when the node is ready"
		}
		return s
	}
	balances, err := a.node.Balances(ctx)
	if err != nil {
		s.Problem = "the node does not tell the balance: " + err.Error()
		return s
	}
	s.Trusted, s.Immature, s.Pending = int64(balances.Trusted), int64(balances.Immature), int64(balances.Pending)
	s.Known = true
	return s
}
