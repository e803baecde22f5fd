//go:build e2e

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// openBooks reads the box's ledger beside the running daemon.
func openBooks(t *testing.T, box string) *ledger.Ledger {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(box, "practice", "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return ledger.New(db)
}

// paidAddress is one that the settled transaction paid.
func paidAddress(t *testing.T, box, txid string) string {
	t.Helper()
	books := openBooks(t, box)
	balances, err := books.Balances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range balances {
		if b.Paid > 0 {
			return b.Address
		}
	}
	t.Fatalf("nobody was paid by %s", txid)
	return ""
}

// isSettled waits until a payout that was approved is deep enough in the chain.
func isSettled(t *testing.T, box string, id int64) {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(box, "practice", "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var state string
	for range 240 {
		if err := db.Reader().QueryRowContext(t.Context(), "SELECT state FROM payout WHERE id = ?", id).Scan(&state); err != nil {
			t.Fatal(err)
		}
		if state == "settled" {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Errorf("payout %d was approved, and is %s", id, state)
}

// booksAgreeWithWallet compares the ledger's sums with the wallet's balance.
// Both move with every block, so they are read until they were read at rest.
func booksAgreeWithWallet(t *testing.T, box string) {
	t.Helper()
	books := openBooks(t, box)
	wallet := nodeOf(t, box)
	var sums ledger.Sums
	var balances node.Balances
	for range 100 {
		var err error
		if sums, err = books.Sums(t.Context()); err != nil {
			t.Fatal(err)
		}
		if balances, err = wallet.Balances(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sums.Immature == int64(balances.Immature) && sums.Spendable == int64(balances.Trusted) {
			if err := books.Check(t.Context()); err != nil {
				t.Error(err)
			}
			t.Logf("books and wallet agree: %d sat spendable, %d sat immature, %d sat paid in chain fees",
				sums.Spendable, sums.Immature, sums.TxFee)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("books %+v, wallet %+v", sums, balances)
}

// nodeOf is the RPC of the box's own node.
func nodeOf(t *testing.T, box string) *node.Client {
	t.Helper()
	confs, err := filepath.Glob(filepath.Join(box, "practice", "node", "*", "bitcoin.conf"))
	if err != nil || len(confs) != 1 {
		t.Fatalf("bitcoin.conf: %v, %v", confs, err)
	}
	text, err := os.ReadFile(confs[0])
	if err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`(?m)^rpcport=(\d+)`).FindSubmatch(text)
	if port == nil {
		t.Fatalf("no rpcport in %s", confs[0])
	}
	client := node.New(node.Config{
		URL:        "http://127.0.0.1:" + string(port[1]),
		CookieFile: filepath.Join(filepath.Dir(confs[0]), "signet", ".cookie"),
		Wallet:     "dmpool-practice",
	})
	t.Cleanup(client.CloseIdle)
	return client
}
