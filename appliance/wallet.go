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

// walletKeeper makes the wallet, loads it after every start of the node, and
// knows which script the pool mines to.
type walletKeeper struct {
	a     *Appliance
	keys  *keyring
	words bool   // the keys come from words that the operator writes down
	dir   string // of its copies; the node must be able to write there
	wake  chan struct{}

	making    sync.Mutex // held while the wallet is opened, made, restored or copied
	receiving sync.Mutex // held while a file is uploaded

	mu      sync.Mutex
	name    string
	problem string
	loaded  bool
	draft   *wordsDraft // nil: no words wait for their confirmation
}

func newWalletKeeper(a *Appliance, s walletSettings, dir string) *walletKeeper {
	return &walletKeeper{a: a, keys: a.keys, words: s.Words, dir: dir, name: s.Name, wake: make(chan struct{}, 1)}
}

// walletName is the name of a network's wallet; a restored one gets the next
// number, since what is broken may still be there.
func walletName(network string, number int) string {
	if number == 1 {
		return "dmpool-" + network
	}
	return fmt.Sprintf("dmpool-%s-%d", network, number)
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
		case <-w.wake:
		case <-timer.C:
		}
		err := w.open(ctx)
		if err == nil {
			err = w.rescan(ctx)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if w.note(err) {
			w.copyIfOld(ctx)
		}
		timer.Reset(walletRecheck)
		if err != nil {
			timer.Reset(walletRetry)
		}
	}
}

// note remembers how the wallet is, and tells whether it has just become ready.
func (w *walletKeeper) note(err error) (becameReady bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	was, problem := w.loaded, w.problem
	w.loaded, w.problem = err == nil, ""
	switch {
	case err != nil:
		if w.problem = err.Error(); w.problem != problem {
			w.a.log.Warn("Wallet is not ready", "err", err)
		}
	case problem != "":
		w.a.log.Info("Wallet is ready")
	}
	return w.loaded && !was
}

// rouse has the wallet looked at soon. It does not wait for it.
func (w *walletKeeper) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

func (w *walletKeeper) current() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.name
}

// ready tells whether the wallet was loaded when it was looked at last.
func (w *walletKeeper) ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.loaded
}

// errWordsWanted says why there is no wallet yet.
var errWordsWanted = errors.New("it waits for you to write down its twelve words; open the wallet page")

// open loads the wallet, or makes it when there has never been one, and tells
// the pool its script. A wallet of that name that is there already is taken as it
// is: one without private keys, whose descriptors were imported from a machine
// that keeps them, makes this a box whose payouts are signed elsewhere.
//
// The node is never told to load it at its own start: a damaged wallet would keep
// it from starting. And when the wallet can be restored, by words that somebody
// has confirmed or by a copy that was tried, then mining does not wait for it:
// what the blocks pay meanwhile is there once it is restored.
func (w *walletKeeper) open(ctx context.Context) error {
	w.making.Lock()
	defer w.making.Unlock()
	return w.openHeld(ctx)
}

// openHeld is open for a caller that holds making.
func (w *walletKeeper) openHeld(ctx context.Context) error {
	var address string
	known, err := w.a.readSetting(ctx, settingReward, &address)
	if err != nil {
		return err
	}
	// Not in a node of another chain, whose wallet signs by other rules.
	if err := w.a.node.Vouch(ctx); err != nil {
		return err
	}
	if known && w.restorable(ctx) {
		if err := w.mineTo(address); err != nil {
			return err
		}
	}
	name, err := w.load(ctx)
	if node.IsCode(err, node.ErrCodeNoWallet) && !known {
		if w.words {
			return errWordsWanted
		}
		err = w.create(ctx, name)
	}
	if err != nil {
		if before := w.a.snapshot.unread(); before >= 0 && node.IsCode(err, node.ErrCodeWallet) {
			return fmt.Errorf("wallet %s opens when the node, which began from a snapshot, has the blocks of its time, at the latest when it has verified the history up to block %d. "+
				"The node says: %w", name, before, err)
		}
		return cannotOpen(name, err, known)
	}
	if !known {
		if address, err = w.firstAddress(ctx); err != nil {
			return err
		}
	}
	info, err := w.a.node.AddressInfo(ctx, address)
	if err != nil {
		return fmt.Errorf("check reward address: %w", err)
	}
	if !info.Mine {
		return fmt.Errorf("wallet %s does not own the reward address; it is another wallet of the same name", name)
	}
	if !known {
		if err := w.a.saveSetting(ctx, settingReward, address); err != nil {
			return err
		}
	}
	if err := w.mineTo(address); err != nil {
		return err
	}
	return w.keys.forgetFile()
}

// cannotOpen puts into words that the node does not open the wallet.
func cannotOpen(name string, err error, known bool) error {
	if _, answered := node.Code(err); !answered || !known || node.IsCode(err, node.ErrCodeWarmup) {
		return fmt.Errorf("open wallet %s: %w", name, err)
	}
	return fmt.Errorf("wallet %s, which blocks were paid to, is gone or damaged; restore it on the wallet page. The node says: %w", name, err)
}

// firstAddress makes the address that all blocks will pay.
func (w *walletKeeper) firstAddress(ctx context.Context) (string, error) {
	keys, err := w.a.node.Descriptors(ctx)
	if err != nil {
		return "", fmt.Errorf("look at the wallet's keys: %w", err)
	}
	if len(keys) == 0 { // it was made, and the box or the node stopped before it got its keys
		if w.words {
			return "", errWordsWanted
		}
		if err := w.createAnother(ctx); err != nil {
			return "", err
		}
	}
	address, err := w.a.node.NewAddress(ctx, "dmpool reward")
	if err != nil {
		return "", fmt.Errorf("make reward address: %w", err)
	}
	return address, nil
}

func (w *walletKeeper) mineTo(address string) error {
	_, script, err := pool.ParseAddress(address, w.a.network)
	if err != nil {
		return fmt.Errorf("check reward address: %w", err)
	}
	w.a.pool.Load().SetScript(script)
	return nil
}

// restorable tells whether the wallet could be had again if it were lost now.
func (w *walletKeeper) restorable(ctx context.Context) bool {
	var origin walletOrigin
	var backup WalletBackup
	_, err := w.a.readSetting(ctx, settingOrigin, &origin)
	_, backupErr := w.a.readSetting(ctx, settingBackup, &backup)
	return err == nil && origin.ConfirmedAt != 0 || backupErr == nil && backup.SoundAt != 0
}

// create makes the wallet encrypted at birth: encrypting it later would change
// its seed (money.md 0.9).
func (w *walletKeeper) create(ctx context.Context, name string) error {
	passphrase, err := w.keys.Passphrase(ctx)
	if err != nil {
		return err
	}
	if err := w.a.node.CreateWallet(ctx, name, passphrase); err != nil {
		return err
	}
	w.a.log.Info("Wallet created", "wallet", name)
	return nil
}

// createAnother makes a wallet under the first name that is free: the one of the
// present name has no keys and, since createwallet gives it some itself, never
// gets any. One that only watches is left to whoever keeps its keys.
func (w *walletKeeper) createAnother(ctx context.Context) error {
	info, err := w.a.node.WalletInfo(ctx)
	if err != nil {
		return fmt.Errorf("look at the wallet: %w", err)
	}
	if !info.PrivateKeysEnabled {
		return nil
	}
	for number := range maxWallets {
		name := walletName(w.a.network, number+1)
		err = w.create(ctx, name)
		if node.IsCode(err, node.ErrCodeWallet) || node.IsCode(err, node.ErrCodeWalletExists) {
			continue
		}
		if err != nil {
			return err
		}
		return w.become(ctx, name, nil, AuditEntry{At: time.Now(), Actor: "box", Action: "wallet.make", Object: name, Result: "ok"})
	}
	return fmt.Errorf("no name is free for another wallet: %w", err)
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
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "wallet.unlock", Result: "ok", IP: ip}); err != nil {
		return err
	}
	a.keys.remember(passphrase)
	return nil
}
