package appliance

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
)

// TestRestoreDrill is the day after the disk has died. A box with a history, blocks,
// matured credits and a payout, is backed up, goes on and pays once more, and is lost
// with its node and its wallet. On an empty disk the backup brings back the books of its
// moment, to the satoshi, and the wallet; the chain comes from whoever has it; miners go
// on; and nothing is paid a second time.
func TestRestoreDrill(t *testing.T) {
	t.Parallel()
	binary := realNode(t)
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	config := Config{DataDir: dir, Bitcoind: binary, Release: "1.2.3", backupWork: quickWork}
	b := launchWith(t, config)
	b.mineAt(60)
	b.eventually("a block is mature", func() bool { return b.sums().Spendable > 0 })
	first := b.approve()
	b.eventually("the payout is settled", func() bool { return b.state(first) == payout.Settled })
	b.rest()
	b.check()
	if err := b.box.SetBackupPassphrase(t.Context(), backupPhrase, "admin", ""); err != nil {
		t.Fatal(err)
	}
	want := b.booked()
	made, err := b.box.CreateBackup(t.Context(), "admin", "")
	if err != nil || made.Notice != "" {
		t.Fatalf("%+v, %v", made, err)
	}
	if diff := cmp.Diff(want, b.booked()); diff != "" {
		t.Fatalf("the books moved meanwhile:\n%s", diff)
	}
	content := b.taken(made.ID)

	b.mineAt(60)
	second := b.approve()
	b.eventually("another payout is in a block", func() bool {
		state := b.state(second)
		return state == payout.Confirmed || state == payout.Settled
	})
	b.rest()
	paid, err := b.box.Payouts().Get(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	chain := b.chain()
	b.stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}

	r, err := unlocked(func() (*Restoration, error) {
		return OpenRestoration(t.Context(), dir, bytes.NewReader(content), backupPhrase, slog.New(slog.DiscardHandler))
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := r.Preview; p.Wallet == "" || p.Notice != "" || p.Backup.Blocks == 0 || p.Here != nil {
		t.Errorf("preview: %+v", p)
	}
	_, err = r.Commit(t.Context(), "terminal", "")
	if err := errors.Join(err, r.Close()); err != nil {
		t.Fatal(err)
	}

	b = launchWith(t, config)
	if diff := cmp.Diff(want, b.booked()); diff != "" {
		t.Errorf("restored books (-want +got):\n%s", diff)
	}
	b.eventually("the node has the chain again", func() bool {
		for _, raw := range chain {
			if _, err := b.box.node.SubmitBlock(t.Context(), raw); err != nil {
				return false
			}
		}
		return b.box.Pool().Status().Height >= int32(len(chain))
	})
	b.eventually("the wallet is back", b.box.wallet.ready)
	b.eventually("the payment that the books do not know is seen", func() bool {
		all, err := b.box.Payouts().Freezes(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var old, unknown bool
		for _, f := range all {
			old = old || !f.Old.IsZero()
			unknown = unknown || f.TxID != nil && *f.TxID == *paid.TxID
		}
		return old && unknown
	})
	if _, err := b.box.Payouts().Draft(t.Context(), payout.DraftRequest{Actor: "admin", IdemKey: "again"}); !errors.Is(err, payout.ErrFrozen) {
		t.Errorf("a draft of restored books: %v", err)
	}
	height := b.box.Pool().Status().Height
	b.mineAt(60)
	b.eventually("mining goes on", func() bool { return b.box.Pool().Status().Height > height+3 })
	b.eventually("the blocks are booked", func() bool { return b.sums().Owed() > want.Sums.Owed() })
	b.rest()
	if err := b.box.Ledger().Check(t.Context()); err != nil {
		t.Error(err)
	}
	if again, err := b.box.CreateBackup(t.Context(), "admin", ""); err != nil || !again.Sound {
		t.Errorf("a backup of the restored box: %+v, %v", again, err)
	}
	b.stop()
}

// bookkeeping is what the books say, as the replay of all bookings finds it.
type bookkeeping struct {
	Balances []ledger.Balance
	Sums     ledger.Sums
}

func (b *runningBox) booked() bookkeeping {
	b.t.Helper()
	if err := b.box.Ledger().Check(context.Background()); err != nil {
		b.t.Fatal(err)
	}
	balances, err := b.box.Ledger().Balances(context.Background())
	if err != nil {
		b.t.Fatal(err)
	}
	return bookkeeping{balances, b.sums()}
}

// taken is what somebody gets who takes a backup away.
func (b *runningBox) taken(id int64) []byte {
	b.t.Helper()
	in, _, err := b.box.OpenBackup(context.Background(), id, "admin", "")
	if err != nil {
		b.t.Fatal(err)
	}
	defer in.Close()
	content, err := io.ReadAll(in)
	if err != nil {
		b.t.Fatal(err)
	}
	return content
}

// chain is what the peers of a node know: all blocks but the first.
func (b *runningBox) chain() (blocks [][]byte) {
	b.t.Helper()
	ctx := context.Background()
	info, err := b.box.node.BlockchainInfo(ctx)
	if err != nil {
		b.t.Fatal(err)
	}
	for height := int32(1); height <= info.Blocks; height++ {
		hash, err := b.box.node.BlockHash(ctx, height)
		if err != nil {
			b.t.Fatal(err)
		}
		var text string
		if err := b.box.node.Call(ctx, "getblock", &text, hash.String(), 0); err != nil {
			b.t.Fatal(err)
		}
		raw, err := hex.DecodeString(text)
		if err != nil {
			b.t.Fatal(err)
		}
		blocks = append(blocks, raw)
	}
	return blocks
}
