package receipt_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/receipt"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// directReceipt is that of vector A when the coinbase pays alice and bob itself.
func directReceipt(t *testing.T) receipt.Receipt {
	t.Helper()
	credits := []int64{91_878_630, 107_191_734, 91_878_629, 15_313_105}
	f := minedTo(t, bitsOf(t, 1250),
		wire.NewTxOut(credits[1], script("bob")), wire.NewTxOut(credits[0], script("alice")),
		wire.NewTxOut(312_512_344-credits[0]-credits[1], script("pool")))
	f.Terms.Settlement, f.PoolScript = ledger.SettlementDirect, script("pool")
	for i, w := range vectorA(t).Weights {
		f.Dues = append(f.Dues, ledger.Due{Address: w.Address, Script: w.Script, Score: w.Score, Amount: credits[i]})
	}

	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l := ledger.New(db)
	if err := l.RecordFound(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	if err := l.FreezeCoinbase(t.Context(), f.Hash, 8); err != nil {
		t.Fatal(err)
	}
	b, err := l.Block(t.Context(), f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	w, err := l.Window(t.Context(), f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	r, err := receipt.New("practice", b, w)
	if err != nil {
		t.Fatal(err)
	}

	return r
}

// Where the coinbase pays miners itself, the receipt says whom, and the outputs
// are there for everybody to see.
func TestDirect(t *testing.T) {
	r, err := receipt.Parse(encode(t, directReceipt(t)))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(); err != nil {
		t.Fatal(err)
	}
	var paid []int64
	for _, a := range r.Accounts {
		paid = append(paid, a.Paid)
	}
	if len(paid) != 4 || paid[0] != 91_878_630 || paid[1] != 107_191_734 || paid[2] != 0 || paid[3] != 0 {
		t.Errorf("paid %v, want alice and bob", paid)
	}

	for name, tt := range map[string]struct {
		change func(a []receipt.Account)
		want   string
	}{
		"paid that was not": {func(a []receipt.Account) { a[2].Paid = a[2].Credit }, "the coinbase pays 0 sat"},
		"paid less":         {func(a []receipt.Account) { a[0].Paid-- }, "the coinbase pays 91878630 sat"},
		"paid too much":     {func(a []receipt.Account) { a[0].Paid = a[0].Credit + 1 }, "is paid 91878631 sat of 91878630"},
		"paid twice":        {func(a []receipt.Account) { a[0].Paid = 0 }, "pays 2 others than the accounts"},
		"paid back":         {func(a []receipt.Account) { a[2].Paid = -1 }, "is paid -1 sat"},
	} {
		again := r
		again.Accounts = append([]receipt.Account{}, r.Accounts...)
		tt.change(again.Accounts)
		if err := again.Verify(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: Verify = %v, want %q", name, err, tt.want)
		}
	}
}
