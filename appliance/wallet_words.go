package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance/seed"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/payout"
)

// walletOrigin says which words the wallet's keys come from. The words themselves
// are nowhere but on paper.
type walletOrigin struct {
	Fingerprint string `json:"fingerprint"`  // empty: the node made the keys
	ConfirmedAt int64  `json:"confirmed_at"` // Unix ms; when somebody proved to have the words, 0: never
	TestedAt    int64  `json:"tested_at"`    // Unix ms; the last time that somebody typed them all, or took a copy away
}

// WalletError is a refusal for the operator to read: why not, and what to do.
type WalletError struct{ Sentence string }

// Error returns the sentence.
func (e *WalletError) Error() string { return e.Sentence }

func refuse(format string, args ...any) error {
	return &WalletError{fmt.Sprintf(format, args...)}
}

// wordsDraft are words that were shown and not confirmed yet. They live in memory
// alone: when the box stops, the step begins again with other words, and since no
// wallet was made of the old ones, they are worth nothing.
type wordsDraft struct {
	words  seed.Words
	places []int // of the words that are asked for, counted from 1
	until  time.Time
}

const (
	draftLasts = time.Hour // for writing down twelve words
	asked      = 3         // words
)

// alive returns the draft unless its time is over.
func (d *wordsDraft) alive(now time.Time) *wordsDraft {
	if d == nil || now.After(d.until) {
		return nil
	}
	return d
}

// ask picks the words to be asked for.
func (d *wordsDraft) ask() {
	places := rand.Perm(d.words.Len())[:asked]
	slices.Sort(places)
	for i := range places {
		places[i]++
	}
	d.places = places
}

// forget erases words that wait for their confirmation.
func (w *walletKeeper) forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.draft != nil {
		w.draft.words.Erase()
		w.draft = nil
	}
}

// DrawWords draws the words of a wallet that is not made yet. They are returned
// this once, to be written down; words drawn before are void. What follows is
// [Appliance.ConfirmWords].
func (a *Appliance) DrawWords(ctx context.Context, actor, ip string) ([]string, error) {
	w := a.wallet
	w.making.Lock() // a wallet that somebody else confirms at this moment comes first
	defer w.making.Unlock()
	if err := w.openHeld(ctx); !errors.Is(err, errWordsWanted) {
		if err == nil {
			return nil, refuse("There is a wallet already, so it gets no new words.")
		}
		return nil, refuse("No words are drawn now: %v.", err)
	}
	draft := &wordsDraft{words: seed.Generate(), until: time.Now().Add(draftLasts)}
	draft.ask()
	words := draft.words.List()
	if err := a.Audit(ctx, AuditEntry{Actor: actor, Action: "wallet.words", Result: "shown", IP: ip}); err != nil {
		return nil, err
	}
	w.forget()
	w.mu.Lock()
	w.draft = draft
	w.mu.Unlock()
	return words, nil
}

// ConfirmWords makes the wallet out of the words that were shown, when the typed
// ones are those that [WalletStatus] asks for. After a wrong word others are asked
// for; the words are not shown again.
func (a *Appliance) ConfirmWords(ctx context.Context, typed []string, actor, ip string) error {
	w := a.wallet
	w.making.Lock() // of two that come at once, the second finds no words that wait
	defer w.making.Unlock()
	account, err := w.confirmed(typed)
	if err != nil {
		return errors.Join(err, a.Audit(ctx, AuditEntry{Actor: actor, Action: "wallet.confirm", Result: "wrong words", IP: ip}))
	}
	defer account.Erase()
	passphrase, err := a.keys.Passphrase(ctx)
	if err != nil {
		return refuse("The file %s, with the passphrase that is to encrypt the wallet, is gone. Put it back; nothing was made.", a.keys.file)
	}
	err = w.adopt(ctx, account, passphrase, walletRescan{Done: true}, AuditEntry{Actor: actor, Action: "wallet.confirm", Result: "ok", IP: ip})
	if err != nil {
		return err
	}
	w.forget()
	w.rouse()
	return nil
}

// confirmed returns the keys of the draft's words if the typed ones are right. They
// are made under the lock: words that are erased meanwhile would still be words, and
// everybody has the keys of those.
func (w *walletKeeper) confirmed(typed []string) (*seed.Account, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	draft := w.draft.alive(time.Now())
	if draft == nil {
		return nil, refuse("No words wait for their confirmation. Words are forgotten after an hour and when the box restarts; draw new ones and throw the old paper away.")
	}
	right := len(typed) == len(draft.places)
	for i, place := range draft.places {
		right = right && draft.words.Is(place, typed[i])
	}
	if !right {
		draft.ask()
		return nil, refuse("These are not the words at those places. Look at your paper and try again; other words are asked for now. If the paper is wrong, draw new words.")
	}
	return w.a.accountOf(draft.words)
}

// TestWords tells whether somebody still has the words of the wallet, and writes
// down that they were tried.
func (a *Appliance) TestWords(ctx context.Context, typed, actor, ip string) error {
	words, err := parseWords(typed)
	if err != nil {
		return err
	}
	defer words.Erase()
	account, err := a.accountOf(words)
	if err != nil {
		return err
	}
	defer account.Erase()
	entry := AuditEntry{Actor: actor, Action: "wallet.test", Result: "ok", IP: ip}
	if err := a.isOurs(ctx, account); err != nil {
		entry.Result = "words of another wallet"
		return errors.Join(err, a.Audit(ctx, entry))
	}
	return a.noteTested(ctx, entry)
}

// noteTested writes down that the operator has what restores the wallet.
func (a *Appliance) noteTested(ctx context.Context, entry AuditEntry) error {
	var origin walletOrigin
	if _, err := a.readSetting(ctx, settingOrigin, &origin); err != nil {
		return err
	}
	now := time.Now()
	origin.TestedAt = now.UnixMilli()
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		if err := writeSetting(ctx, tx, settingOrigin, origin, now); err != nil {
			return err
		}
		return writeAudit(ctx, tx, entry)
	})
}

// parseWords reads words that were typed; its refusals are sentences.
func parseWords(typed string) (seed.Words, error) {
	words, err := seed.Parse(typed)
	if err != nil {
		text := err.Error()
		return seed.Words{}, refuse("%s.", strings.ToUpper(text[:1])+text[1:])
	}
	return words, nil
}

func (a *Appliance) accountOf(words seed.Words) (*seed.Account, error) {
	params, ok := pool.ChainParams(a.network)
	if !ok {
		return nil, fmt.Errorf("network %s has no address parameters", a.network)
	}
	return words.Account(params)
}

// looked is how many addresses of an account are compared with the one that the
// pool's blocks pay. It is the wallet's first, unless the wallet is older than the
// pool.
const looked = 1000

// isOurs refuses keys that are not those of this pool's wallet. Before the first
// wallet all keys are fine.
func (a *Appliance) isOurs(ctx context.Context, account *seed.Account) error {
	var reward string
	known, err := a.readSetting(ctx, settingReward, &reward)
	if err != nil || !known {
		return err
	}
	_, script, err := pool.ParseAddress(reward, a.network)
	if err != nil {
		return fmt.Errorf("check reward address: %w", err)
	}
	for i := range uint32(looked) {
		own, err := account.Script(seed.Receive, i)
		if err != nil {
			return err
		}
		if slices.Equal(own, script) {
			return nil
		}
	}
	return refuse("These are the words of another wallet (fingerprint %s). The blocks of this pool were paid to %s, which is none of its addresses.", account.Fingerprint(), reward)
}

// adopt gives the keys to a wallet of the node and makes it the pool's, both or
// neither, though the browser that asked for it may be gone. The caller holds making.
func (w *walletKeeper) adopt(ctx context.Context, account *seed.Account, passphrase string, rescan walletRescan, entry AuditEntry) error {
	ctx = context.WithoutCancel(ctx) // each call has its own time
	name, err := w.install(ctx, account, passphrase)
	if err != nil {
		return fmt.Errorf("make wallet: %w", err)
	}
	now := time.Now()
	origin := walletOrigin{Fingerprint: account.Fingerprint(), ConfirmedAt: now.UnixMilli(), TestedAt: now.UnixMilli()}
	entry.At, entry.Object, entry.Detail = now, name, map[string]string{"fingerprint": origin.Fingerprint}
	return w.become(ctx, name, map[string]any{settingOrigin: origin, settingRescan: rescan}, entry)
}

// become makes a wallet of the node the pool's, from here on and after a restart.
func (w *walletKeeper) become(ctx context.Context, name string, with map[string]any, entry AuditEntry) error {
	settings := walletSettings{Name: name, Unlock: w.keys.mode(), Words: w.words}
	err := w.a.db.Update(ctx, func(tx *sql.Tx) error {
		for key, value := range with {
			if err := writeSetting(ctx, tx, key, value, time.Now()); err != nil {
				return err
			}
		}
		if err := writeSetting(ctx, tx, settingWallet, settings, time.Now()); err != nil {
			return err
		}
		if err := payout.LookAgain(ctx, tx); err != nil {
			return err
		}
		return writeAudit(ctx, tx, entry)
	})
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.name = name
	w.mu.Unlock()
	w.a.node.UseWallet(name)
	w.a.log.Info("Wallet made", "wallet", name)
	return nil
}

// maxWallets bounds the search for a name that is free.
const maxWallets = 50

// install puts the keys into a wallet that is encrypted from its first moment, and
// returns its name. A wallet that got its name in an earlier attempt and no other
// keys is used again; every other one is left as it is.
func (w *walletKeeper) install(ctx context.Context, account *seed.Account, passphrase string) (name string, err error) {
	for number := range maxWallets {
		name = walletName(w.a.network, number+1)
		n := w.a.node.ForWallet(name)
		err = n.CreateBlankWallet(ctx, name, passphrase)
		if node.IsCode(err, node.ErrCodeWallet) || node.IsCode(err, node.ErrCodeWalletExists) {
			if usable, failed := w.mayTake(ctx, n, name, account); failed != nil || !usable {
				continue
			}
			err = nil
		}
		if err != nil {
			return "", err
		}
		err = importKeys(ctx, n, account, passphrase)
		if node.IsCode(err, node.ErrCodeWrongPassphrase) {
			continue // it was made with another passphrase
		}
		return name, err
	}
	return "", fmt.Errorf("no name is free for another wallet: %w", err)
}

// mayTake tells whether a wallet that is there has no keys, or just these.
func (w *walletKeeper) mayTake(ctx context.Context, n *node.Client, name string, account *seed.Account) (bool, error) {
	if err := n.LoadWallet(ctx, name); err != nil {
		return false, err
	}
	keys, err := n.Descriptors(ctx)
	if err != nil {
		return false, err
	}
	return !slices.ContainsFunc(keys, func(d node.Descriptor) bool {
		return !strings.Contains(d.Desc, "["+account.Fingerprint()+"/")
	}), nil
}

// importKeys unlocks the wallet for as long as it takes.
func importKeys(ctx context.Context, n *node.Client, account *seed.Account, passphrase string) (err error) {
	if err := n.Unlock(ctx, passphrase, time.Minute); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, n.Lock(context.WithoutCancel(ctx)))
	}()
	receive, change := account.Descriptors()
	return n.ImportDescriptors(ctx, []node.Descriptor{
		{Desc: receive, Active: true}, {Desc: change, Active: true, Internal: true},
	})
}
