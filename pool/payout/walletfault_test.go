package payout

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/dmpool/dmpool/pool/node"
)

// TestFault13WalletGone: the wallet is not loaded, or its folder has another name.
// Payouts say so and keep their state, also what is in the mempool already, and go
// on as soon as the wallet is back.
func TestFault13WalletGone(t *testing.T) {
	r := newRealBox(t)
	r.policy.MaxItems = 1
	sent, approved := r.onTheWay(), r.upTo(Approved)
	waits := func(problem string) {
		t.Helper()
		for range 2 {
			if err := r.desk.Advance(t.Context()); !node.IsCode(err, node.ErrCodeNoWallet) {
				t.Errorf("Advance = %v, want -18", err)
			}
		}
		for _, p := range []Payout{sent, approved} {
			if got := r.want(p.ID, p.State, problem); got.Rev != p.Rev {
				t.Errorf("payout %d is at revision %d, was at %d", p.ID, got.Rev, p.Rev)
			}
		}
	}

	r.must(r.node.Call(t.Context(), "unloadwallet", new(any), "pool"))
	waits("wallet is not loaded")

	r.must(r.node.Stop(t.Context()))
	_ = r.node.command.Wait()
	wallets := filepath.Join(filepath.Dir(r.node.config.CookieFile), "regtest", "wallets")
	r.must(os.Rename(filepath.Join(wallets, "pool"), filepath.Join(wallets, "renamed")))
	r.node.start()
	if err := r.node.LoadWallet(t.Context(), "pool"); !node.IsCode(err, node.ErrCodeNoWallet) {
		t.Errorf("LoadWallet = %v, want -18", err)
	}
	waits("wallet is not loaded")
	r.must(r.node.LoadWallet(t.Context(), "renamed"))
	waits("wallet is not loaded") // under a name that is not the pool's

	r.must(r.node.Call(t.Context(), "unloadwallet", new(any), "renamed"))
	r.must(os.Rename(filepath.Join(wallets, "renamed"), filepath.Join(wallets, "pool")))
	r.node.load()
	r.advance()
	r.want(sent.ID, Broadcast, "")
	r.want(approved.ID, Broadcast, "")
	r.mine(3)
	r.advance()
	r.want(sent.ID, Settled, "")
	r.want(approved.ID, Settled, "")
	r.checkWallet()
}

// TestFault13TwoWallets: a second wallet in the node changes nothing, since each
// call names its own. A call that did not would be refused, and no payout fail of it.
func TestFault13TwoWallets(t *testing.T) {
	r := newRealBox(t)
	r.must(r.node.CreateWallet(t.Context(), "somebody's", "another passphrase"))
	p := r.onTheWay()

	config := r.node.config
	config.Wallet = ""
	nameless := node.New(config)
	t.Cleanup(nameless.CloseIdle)
	r.desk.wallet = nameless
	if err := r.desk.Advance(t.Context()); !node.IsCode(err, node.ErrCodeWhichWallet) {
		t.Errorf("Advance without a name = %v, want -19", err)
	}
	r.want(p.ID, Broadcast, "several wallets")

	r.desk.wallet = r.node
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.wantOneSend()
	r.checkAgree()
}
