package appliance

import (
	"context"
	"time"
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

	Kept       string       // where the passphrase is: "service", "file", "memory", or empty
	KeptIn     string       // that file, with "file"
	Words      string       // WordsNone, WordsWanted, WordsDrawn or WordsConfirmed
	Ask        []int        // with WordsDrawn: the places of the words to type
	Print      string       // with WordsConfirmed: the fingerprint of the words
	TestedAt   time.Time    // when somebody last typed all words, or took a copy away; zero: never
	Restorable bool         // by words or a copy, so that mining does not wait for the wallet
	Loaded     bool         // the node has opened it
	Paid       bool         // blocks pay it, so that mining waits until that is possible
	Wanted     bool         // it is paid, or holds or owes something; else the pool does without it
	Missing    int64        // coins that a restored wallet does not know because their blocks were pruned
	Backup     WalletBackup // the newest copy
	Copies     []string     // file names of all copies, the newest first
	Folder     string       // of the copies
	Limit      WalletLimit
}

// Where the keys of the wallet come from.
const (
	WordsNone      = "none"      // the node made them
	WordsWanted    = "wanted"    // out of words, which nobody has seen yet
	WordsDrawn     = "drawn"     // the words were shown and wait for their confirmation
	WordsConfirmed = "confirmed" // out of words that somebody has
)

// Wallet asks the node how the wallet is.
func (a *Appliance) Wallet(ctx context.Context) WalletStatus {
	w := a.wallet
	s := WalletStatus{Name: w.current(), Unlock: a.keys.mode(), Kept: a.keys.kept(), Folder: w.dir, Copies: w.copies()}
	var origin walletOrigin
	var rescan walletRescan
	var limit walletCap
	for key, out := range map[string]any{
		settingReward: &s.Address, settingOrigin: &origin, settingRescan: &rescan, settingBackup: &s.Backup, settingCap: &limit,
	} {
		if _, err := a.readSetting(ctx, key, out); err != nil {
			s.Problem = err.Error()
			return s
		}
	}
	if s.Kept == keptInFile {
		s.KeptIn = a.keys.file
	}
	now := time.Now()
	s.Missing, s.Limit = rescan.Missing, limit.at(now)
	s.Restorable = origin.ConfirmedAt != 0 || s.Backup.SoundAt != 0
	s.Words, s.Print, s.TestedAt = WordsNone, origin.Fingerprint, orZero(origin.TestedAt)
	w.mu.Lock()
	s.Problem, s.Loaded = w.problem, w.loaded
	draft := w.draft.alive(now)
	if draft != nil {
		s.Ask = draft.places
	}
	w.mu.Unlock()
	switch {
	case origin.Fingerprint != "" && s.Address != "":
		s.Words = WordsConfirmed
	case draft != nil:
		s.Words = WordsDrawn
	case w.words && s.Address == "": // else somebody made the wallet elsewhere
		s.Words = WordsWanted
	}
	s.Paid = a.Settings().NeedsWallet()
	s.Wanted = s.Paid || a.walletInUse(ctx)
	s.Cold = a.payouts.Cold()
	if _, err := a.keys.Passphrase(ctx); err != nil && !s.Cold {
		s.NeedsKey = true
	}
	if !s.Loaded {
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
	s.Limit.weigh(s.Trusted)
	a.weighOwn(ctx, &s.Limit)
	return s
}

// walletInUse tells whether the books have something in the wallet, or to pay out of
// it.
func (a *Appliance) walletInUse(ctx context.Context) bool {
	sums, err := a.ledger.Sums(ctx)
	return err != nil || sums.Immature != 0 || sums.Spendable != 0 || sums.Owed() != 0
}

// orZero is a time of the database, zero when there is none.
func orZero(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}
