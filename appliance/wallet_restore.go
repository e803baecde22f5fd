package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/payout"
)

// walletRescan says from where on a restored wallet has to read the chain. It
// stays until that is done, over restarts.
type walletRescan struct {
	From    int32 `json:"from"` // height
	Done    bool  `json:"done"`
	Missing int64 `json:"missing"` // satoshis of coins in blocks that the node does not have any more
}

// Restoring asks for a wallet to be had again, out of its words or out of a copy.
type Restoring struct {
	Words      string    // typed
	Since      time.Time // with Words: when the wallet was made, zero: not known
	Copy       string    // without Words: the name of a file in [WalletStatus.Folder]
	Passphrase string    // with Words: encrypts the new wallet; else: opens the copy. Empty: as before
	Actor, IP  string
}

// RestoreWallet puts a wallet in the place of one that is gone or damaged, which
// stays where it is. Coins that the blocks paid meanwhile are found again: the
// chain is read from the birth of the wallet on, as far back as the node has it.
// The refusals are [*WalletError].
func (a *Appliance) RestoreWallet(ctx context.Context, r Restoring) error {
	if r.Words != "" {
		return a.restore(ctx, r, a.wallet.fromWords)
	}
	return a.restore(ctx, r, a.wallet.fromCopy)
}

// restorer makes a wallet of the node out of what somebody has.
type restorer func(ctx context.Context, r Restoring, passphrase string, entry AuditEntry) error

func (a *Appliance) restore(ctx context.Context, r Restoring, from restorer) error {
	w := a.wallet
	w.making.Lock()
	defer w.making.Unlock()
	if w.ready() {
		return errNothingToRestore()
	}
	if err := a.node.Vouch(ctx); err != nil {
		return refuse("Nothing is restored into this node: %v.", err)
	}
	passphrase := r.Passphrase
	if passphrase == "" {
		kept, err := a.keys.Passphrase(ctx)
		if err != nil {
			return refuse("Type a passphrase that encrypts the wallet.")
		}
		passphrase = kept
	}
	entry := AuditEntry{Actor: r.Actor, Action: "wallet.restore", Result: "ok", IP: r.IP}
	if err := from(ctx, r, passphrase, entry); err != nil {
		if sentence, ok := errors.AsType[*WalletError](err); ok {
			return sentence
		}
		if _, answered := node.Code(err); answered || node.Unavailable(err) {
			return refuse("The wallet was not restored. %s", node.Sentence(err))
		}
		return err
	}
	if err := a.keys.keep(passphrase); err != nil {
		return err
	}
	w.rouse()
	return nil
}

func errNothingToRestore() error {
	return refuse("The wallet is there and sound, so there is nothing to restore.")
}

func (w *walletKeeper) fromWords(ctx context.Context, r Restoring, passphrase string, entry AuditEntry) error {
	words, err := parseWords(r.Words)
	if err != nil {
		return err
	}
	defer words.Erase()
	account, err := w.a.accountOf(words)
	if err != nil {
		return err
	}
	defer account.Erase()
	if err := w.a.isOurs(ctx, account); err != nil {
		return err
	}
	from, err := w.heightAt(ctx, r.Since)
	if err != nil {
		return err
	}
	return w.adopt(ctx, account, passphrase, walletRescan{From: from}, entry)
}

// birthMargin is how far a block's time may be off, and then some.
const birthMargin = 24 * time.Hour

// heightAt returns the height from which on blocks are younger than t, less a
// margin; 0 for the zero time. Headers are there on a pruned node, too.
func (w *walletKeeper) heightAt(ctx context.Context, t time.Time) (int32, error) {
	if t.IsZero() {
		return 0, nil
	}
	chain, err := w.a.node.BlockchainInfo(ctx)
	if err != nil {
		return 0, err
	}
	limit := t.Add(-birthMargin).Unix()
	low, high := int32(0), chain.Blocks // the block at low-1 is older, that at high is not, or is the tip
	for low < high {
		middle := low + (high-low)/2
		hash, err := w.a.node.BlockHash(ctx, middle)
		if err != nil {
			return 0, err
		}
		header, err := w.a.node.Header(ctx, hash)
		if err != nil {
			return 0, err
		}
		if int64(header.MedianTime) < limit {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low, nil
}

// restoreTakes is how long the node may read blocks for a copy of the wallet.
const restoreTakes = 30 * time.Minute

func (w *walletKeeper) fromCopy(ctx context.Context, r Restoring, passphrase string, entry AuditEntry) error {
	if !slices.Contains(w.copies(), r.Copy) {
		return refuse("There is no copy of that name in %s. Put the file there, with a name that ends in %s.", w.dir, copySuffix)
	}
	return w.fromFile(ctx, filepath.Join(w.dir, r.Copy), passphrase, entry)
}

// fromFile has the node take a file for a wallet under the first name that is
// free. No wallet that is there is touched.
func (w *walletKeeper) fromFile(ctx context.Context, file, passphrase string, entry AuditEntry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), restoreTakes)
	defer cancel()
	for number := range maxWallets {
		name := walletName(w.a.network, number+1)
		n := w.a.node.ForWallet(name)
		err := n.RestoreWallet(ctx, name, file)
		if node.IsCode(err, node.ErrCodeWalletExists) {
			continue
		}
		if err != nil {
			return err
		}
		return w.takeCopy(ctx, n, name, passphrase, entry)
	}
	return fmt.Errorf("none of %d names is free for another wallet", maxWallets)
}

// takeCopy looks whether a restored wallet is the pool's and opens. If not, the
// node forgets it again.
func (w *walletKeeper) takeCopy(ctx context.Context, n *node.Client, name, passphrase string, entry AuditEntry) error {
	if err := w.isCopyOurs(ctx, n, passphrase); err != nil {
		return errors.Join(err, n.UnloadWallet(ctx, name))
	}
	entry.Object = name
	return w.become(ctx, name, map[string]any{settingRescan: walletRescan{Done: true}}, entry)
}

func (w *walletKeeper) isCopyOurs(ctx context.Context, n *node.Client, passphrase string) error {
	var reward string
	known, err := w.a.readSetting(ctx, settingReward, &reward)
	if err != nil {
		return err
	}
	if known {
		info, err := n.AddressInfo(ctx, reward)
		if err != nil {
			return err
		}
		if !info.Mine {
			return refuse("This is a copy of another wallet: the blocks of this pool were paid to %s, which is none of its addresses.", reward)
		}
	}
	info, err := n.WalletInfo(ctx)
	if err != nil || !info.PrivateKeysEnabled || info.UnlockedUntil == nil {
		return err
	}
	if err := n.Unlock(ctx, passphrase, time.Second); err != nil {
		if node.IsCode(err, node.ErrCodeWrongPassphrase) {
			return refuse("The copy does not open with this passphrase. It is the one that the wallet had when the copy was made.")
		}
		return err
	}
	return n.Lock(ctx)
}

// rescanTakes bounds one attempt; the next goes on from the same height.
const rescanTakes = 24 * time.Hour

// rescan has a restored wallet read the chain, once. Where the node has pruned
// blocks of the wallet's time, it reads those that are there and counts what is
// missing in the set of unspent coins: these coins are the wallet's, but only a
// node with all blocks can show it how to spend them.
func (w *walletKeeper) rescan(ctx context.Context) error {
	var r walletRescan
	known, err := w.a.readSetting(ctx, settingRescan, &r)
	if err != nil || !known || r.Done {
		return err
	}
	passphrase, err := w.keys.Passphrase(ctx)
	if err != nil {
		return errors.New("the restored wallet has to read the chain, for which it must be open; type its passphrase")
	}
	w.say("the restored wallet reads the chain for its coins; this can take hours")
	chain, err := w.a.node.BlockchainInfo(ctx)
	if err != nil {
		return err
	}
	from := r.From
	if chain.Pruned {
		from = max(from, chain.PruneHeight)
	}
	switch before := w.a.snapshot.unread(); {
	case from > before:
	case chain.Pruned:
		from = before + 1 // the node deletes the older blocks as it verifies them
	default:
		return fmt.Errorf("the restored wallet can read the chain from block %d on when the node has verified it up to block %d; it does that in the background", from, before)
	}
	if err := w.read(ctx, from, passphrase); err != nil {
		return fmt.Errorf("read the chain from block %d on: %w", from, err)
	}
	if from > r.From {
		if r.Missing, err = w.missing(ctx); err != nil {
			return fmt.Errorf("count the wallet's coins: %w", err)
		}
	}
	r.Done = true
	return w.a.db.Update(ctx, func(tx *sql.Tx) error {
		if err := writeSetting(ctx, tx, settingRescan, r, time.Now()); err != nil {
			return err
		}
		return payout.LookAgain(ctx, tx)
	})
}

// paying is the wallet as the payouts see it.
type paying struct {
	*node.Client
	a *Appliance
}

// WalletInfo says of a restored wallet that it reads the chain from the moment on in
// which it is the pool's, hours before it begins perhaps.
func (p paying) WalletInfo(ctx context.Context) (node.WalletInfo, error) {
	var r walletRescan
	known, err := p.a.readSetting(ctx, settingRescan, &r)
	if err != nil {
		return node.WalletInfo{}, err
	}
	info, err := p.Client.WalletInfo(ctx)
	if known && !r.Done {
		info.Scanning = true
	}
	return info, err
}

// read unlocks the wallet and reads; the node keeps it open until it has read all.
func (w *walletKeeper) read(ctx context.Context, from int32, passphrase string) (err error) {
	ctx, cancel := context.WithTimeout(ctx, rescanTakes)
	defer cancel()
	if err := w.a.node.Unlock(ctx, passphrase, time.Minute); err != nil {
		return err
	}
	defer func() {
		lockCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = errors.Join(err, w.a.node.Lock(lockCtx))
	}()
	return w.a.node.Rescan(ctx, from)
}

// missing is what the chain has for the wallet's keys beyond what the wallet knows.
func (w *walletKeeper) missing(ctx context.Context) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, restoreTakes)
	defer cancel()
	keys, err := w.a.node.Descriptors(ctx)
	if err != nil {
		return 0, err
	}
	there, err := w.a.node.ScanCoins(ctx, keys)
	if err != nil {
		return 0, err
	}
	balances, err := w.a.node.Balances(ctx)
	if err != nil {
		return 0, err
	}
	return max(0, int64(there-balances.Trusted-balances.Immature)), nil
}

// say puts what the wallet is busy with in the place of a problem.
func (w *walletKeeper) say(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.loaded, w.problem = false, text
}
