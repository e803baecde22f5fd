package receipt_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/receipt"
	"github.com/dmpool/dmpool/pool/sqlite"
	"github.com/dmpool/dmpool/pool/work"
)

var update = flag.Bool("update", false, "write the golden files")

// bitsOf returns nBits of which a block takes so many hashes.
func bitsOf(t *testing.T, network int64) uint32 {
	t.Helper()
	target := new(big.Int).Lsh(big.NewInt(1), 256)
	target.Quo(target, big.NewInt(network))
	size := uint32(target.BitLen()+8) / 8
	bits := size<<24 | uint32(new(big.Int).Rsh(target, uint(8*(size-3))).Uint64())
	if got, err := work.NetworkWork(bits); err != nil || got.Int64() != network {
		t.Fatalf("NetworkWork(%08x) = %v, %v, want %d", bits, got, err, network)
	}

	return bits
}

// script is what a miner is paid by. That of alice is of the address
// tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx.
func script(name string) []byte {
	if name == "alice" {
		return []byte("\x00\x14\x75\x1e\x76\xe8\x19\x91\x96\xd4\x54\x94\x1c\x45\xd1\xb3\xa3\x23\xf1\x43\x3b\xd6")
	}

	return []byte("script of " + name)
}

// mined is a block of 312 512 344 sat with two further transactions.
func mined(t *testing.T, bits uint32) ledger.Found {
	t.Helper()

	return minedTo(t, bits, wire.NewTxOut(312_512_344, []byte{0x51}), wire.NewTxOut(0, []byte{0x51}))
}

// minedTo is a block whose coinbase has these outputs.
func minedTo(t *testing.T, bits uint32, outputs ...*wire.TxOut) ledger.Found {
	t.Helper()
	transaction := func(in []byte, values ...int64) *wire.MsgTx {
		tx := wire.NewMsgTx(2)
		tx.AddTxIn(wire.NewTxIn(&wire.OutPoint{Index: 0xffffffff}, in, nil))
		for _, v := range values {
			tx.AddTxOut(wire.NewTxOut(v, []byte{0x51}))
		}

		return tx
	}
	block := wire.MsgBlock{Transactions: []*wire.MsgTx{
		transaction(append(work.HeightPush(840_000), "/pool/"...)), transaction([]byte{1}, 5), transaction([]byte{2}, 6),
	}}
	block.Transactions[0].TxOut = outputs
	var txids []chainhash.Hash
	for _, tx := range block.Transactions[1:] {
		txids = append(txids, tx.TxHash())
	}
	coinbase := block.Transactions[0].TxHash()
	block.Header = wire.BlockHeader{Version: 0x20000000, MerkleRoot: work.MerkleRoot(coinbase, work.MerkleBranches(txids)), Timestamp: time.Unix(1_700_000_000, 0), Bits: bits}
	target, err := work.TargetFromBits(bits)
	if err != nil {
		t.Fatal(err)
	}
	for !target.Meets(block.Header.BlockHash()) {
		block.Header.Nonce++
	}
	var raw bytes.Buffer
	if err := block.Serialize(&raw); err != nil {
		t.Fatal(err)
	}

	return ledger.Found{
		Hash: block.Header.BlockHash(), Height: 840_000, At: time.UnixMilli(1_700_000_000_123), Bits: bits, Work: 250,
		Address: "alice", Script: script("alice"), CoinbaseTxID: coinbase, Value: 312_512_344, Raw: raw.Bytes(),
		Terms: ledger.Terms{Settlement: ledger.SettlementLedger, FeeBps: 150, DonationBps: 50, WindowMilli: 2000, Underfill: ledger.UnderfillScale},
	}
}

// vectorA is the window of that vector: of bob's oldest share 300 of 500 count.
func vectorA(t *testing.T) ledger.Window {
	t.Helper()
	w := ledger.Window{
		WinnerSeq: 8, FromSeq: 2, From: time.UnixMilli(1_699_990_000_000),
		Epochs: []ledger.Epoch{
			{Bits: bitsOf(t, 1250), Take: big.NewRat(1, 1)},
			{Bits: bitsOf(t, 1000), Take: big.NewRat(1, 1)},
			{Bits: bitsOf(t, 1000), Take: big.NewRat(3, 5)},
		},
	}
	for i, name := range []string{"alice", "bob", "carol", "dave"} {
		weight := ledger.Weight{Address: name, Script: script(name), Score: []*big.Rat{big.NewRat(3, 5), big.NewRat(7, 10), big.NewRat(3, 5), big.NewRat(1, 10)}[i]}
		for _, n := range [][3]int64{{750, 0, 0}, {500, 0, 500}, {250, 400, 0}, {125, 0, 0}}[i] {
			weight.Parts = append(weight.Parts, ledger.Part{Work: big.NewInt(n), Shares: min(n, 1)})
		}
		w.Weights = append(w.Weights, weight)
	}

	return w
}

// settled takes a block through a real ledger and writes its receipt.
func settled(t *testing.T, f ledger.Found, w ledger.Window) receipt.Receipt {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	l := ledger.New(db)
	if err := l.RecordFound(t.Context(), f); err != nil {
		t.Fatal(err)
	}
	b, err := l.Block(t.Context(), f.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := receipt.New("practice", b, w); err == nil {
		t.Error("a block whose split is not fixed has a receipt")
	}
	if err := l.Freeze(t.Context(), f.Hash, w); err != nil {
		t.Fatal(err)
	}
	if b, err = l.Block(t.Context(), f.Hash); err != nil {
		t.Fatal(err)
	}
	if w, err = l.Window(t.Context(), f.Hash); err != nil {
		t.Fatal(err)
	}
	r, err := receipt.New("practice", b, w)
	if err != nil {
		t.Fatal(err)
	}

	// What is left of the block when its bytes are dropped says the same.
	proof, err := receipt.Prove(b.Raw)
	if err != nil {
		t.Fatal(err)
	}
	b.Raw, b.Proof = nil, &proof
	later, err := receipt.New("practice", b, w)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, later); diff != "" {
		t.Errorf("receipt without the raw block (-before +after):\n%s", diff)
	}

	return r
}

func encode(t *testing.T, r receipt.Receipt) []byte {
	t.Helper()
	file, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}

	return file
}

// The file never changes its form: digests that were shown once stay true.
func TestGolden(t *testing.T) {
	file := encode(t, settled(t, mined(t, bitsOf(t, 1250)), vectorA(t)))
	const golden = "testdata/split.json"
	if *update {
		if err := os.WriteFile(golden, file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(file, want) {
		t.Errorf("receipt:\n%s\nwant:\n%s", file, want)
	}

	r, err := receipt.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Verify(); err != nil {
		t.Error(err)
	}
	hash, err := chainhash.NewHashFromStr(r.Block.Hash)
	if err != nil {
		t.Fatal(err)
	}
	if bob := r.Accounts[1]; bob.Tag != receipt.Tag(*hash, script("bob")) || bob.Credit != 107_191_734 {
		t.Errorf("bob has the line %+v", bob)
	}
}

// Splits from before the work was kept are checked as far as they go.
func TestUntraced(t *testing.T) {
	w := vectorA(t)
	w.Epochs = nil
	for i := range w.Weights {
		w.Weights[i].Parts = nil
	}
	r := settled(t, mined(t, bitsOf(t, 1250)), w)
	again, err := receipt.Parse(encode(t, r))
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Verify(); err != nil || again.Traced() {
		t.Errorf("Verify = %v, traced %v", err, again.Traced())
	}
	again.Accounts[0].Score = "4/5"
	if err := again.Verify(); err == nil {
		t.Error("another score verifies")
	}
}

// Whatever is changed in a receipt, however consistent its JSON stays, shows.
func TestTampered(t *testing.T) {
	file := encode(t, settled(t, mined(t, bitsOf(t, 1250)), vectorA(t)))
	tests := []struct {
		name   string
		change func(r *receipt.Receipt)
		want   string
	}{
		{"a satoshi moved", func(r *receipt.Receipt) { r.Accounts[0].Credit--; r.Accounts[1].Credit++ }, "should get 91878630 sat"},
		{"a satoshi for the pool", func(r *receipt.Receipt) { r.Accounts[0].Credit--; r.Fee++ }, "the pool's fee should be 4687685"},
		{"a satoshi donated", func(r *receipt.Receipt) { r.Accounts[0].Credit--; r.Donation++ }, "the donation should be"},
		{"a satoshi held back", func(r *receipt.Receipt) { r.Accounts[0].Credit--; r.Reserve++ }, "the reserve should be 0"},
		{"another fee", func(r *receipt.Receipt) { r.Terms.FeeBps++ }, "the pool's fee should be"},
		{"a fee beyond the ceiling", func(r *receipt.Receipt) { r.Terms.FeeBps = 2000 }, "cannot be computed"},
		{"another window", func(r *receipt.Receipt) { r.Terms.WindowMilli = 3000 }, "the scores add up to 2, and the window is 3"},
		{"a score", func(r *receipt.Receipt) { r.Accounts[2].Score = "7/10" }, "its work gives the score 3/5"},
		{"a score that is none", func(r *receipt.Receipt) { r.Accounts[2].Score = "1e9" }, "no fraction"},
		{"a score over nothing", func(r *receipt.Receipt) { r.Accounts[2].Score = "1/0" }, "no fraction"},
		{"work", func(r *receipt.Receipt) { r.Accounts[2].Work[0] = "251" }, "its work gives the score"},
		{"work with its score", func(r *receipt.Receipt) { r.Accounts[0].Work[0], r.Accounts[0].Score = "1375", "11/10" }, "the accounts did 2250 in epoch 1"},
		{"work with its sums", func(r *receipt.Receipt) {
			r.Accounts[0].Work[0], r.Accounts[0].Score, r.Epochs[0].Work = "1375", "11/10", "2250"
		}, "the scores add up to 5/2, and the window is 2"},
		{"work without shares", func(r *receipt.Receipt) { r.Accounts[3].Shares[0] = 0 }, "cannot be"},
		{"negative shares", func(r *receipt.Receipt) { r.Accounts[3].Shares[0] = -1 }, "cannot be"},
		{"no epochs", func(r *receipt.Receipt) { r.Epochs = nil }, "no epoch in which it was done"},
		{"negative work", func(r *receipt.Receipt) { r.Accounts[3].Work[0] = "-125" }, "cannot be"},
		{"an epoch less", func(r *receipt.Receipt) { r.Epochs = r.Epochs[:2] }, "work in 3 epochs"},
		{"all work forgotten", func(r *receipt.Receipt) { r.Accounts = nil }, "the accounts did 0 in epoch 1"},
		{"an easier network", func(r *receipt.Receipt) { r.Epochs[1].NetworkWork = "999" }, "mean a work of 1000"},
		{"nBits of an epoch", func(r *receipt.Receipt) { r.Epochs[1].Bits = "1f418937 " }, "has the nBits"},
		{"nBits that are none", func(r *receipt.Receipt) { r.Epochs[1].Bits = "00000000" }, "has the nBits"},
		{"another newest epoch", func(r *receipt.Receipt) { r.Epochs[0], r.Epochs[1] = r.Epochs[1], r.Epochs[0] }, "the newest work is against"},
		{"more than all of the edge", func(r *receipt.Receipt) { r.Epochs[2].Take = "6/5" }, "between 0 and 1"},
		{"two ends", func(r *receipt.Receipt) { r.Epochs[1].Take = "1/2" }, "one end only"},
		{"the newest work cut", func(r *receipt.Receipt) { r.Epochs[0].Take, r.Epochs[2].Take = "4/5", "1" }, "one end only, the oldest"},
		{"a miner twice", func(r *receipt.Receipt) { r.Accounts[1].Tag = r.Accounts[0].Tag }, "comes twice"},
		{"a height", func(r *receipt.Receipt) { r.Block.Height++ }, "not for height 840001"},
		{"a value", func(r *receipt.Receipt) { r.Block.Value++ }, "the coinbase pays 312512344 sat"},
		{"a coinbase", func(r *receipt.Receipt) {
			r.Block.Coinbase = strings.Replace(r.Block.Coinbase, "706f6f6c", "706f6f6d", 1)
		}, "is not in the block"},
		{"no coinbase", func(r *receipt.Receipt) { r.Block.Coinbase = "" }, "cannot be read"},
		{"a branch", func(r *receipt.Receipt) { r.Block.Branch = r.Block.Branch[:1] }, "is not in the block"},
		{"a branch that is none", func(r *receipt.Receipt) { r.Block.Branch[0] = "x" }, "is not one"},
		{"a header", func(r *receipt.Receipt) { r.Block.Header = r.Block.Header[:158] + "ff" }, "the header has the hash"},
		{"no header", func(r *receipt.Receipt) { r.Block.Header = "" }, "not 80 bytes"},
		{"a header without work", func(r *receipt.Receipt) {
			var h wire.BlockHeader
			h.Bits = 0x1d00ffff
			var b bytes.Buffer
			if err := h.Serialize(&b); err != nil {
				t.Fatal(err)
			}
			r.Block.Header, r.Block.Hash = fmt.Sprintf("%x", b.Bytes()), h.BlockHash().String()
		}, "nobody worked for it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := receipt.Parse(file)
			if err != nil {
				t.Fatal(err)
			}
			tt.change(&r)
			if err := r.Verify(); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Verify = %v, want %q", err, tt.want)
			}
		})
	}
}

// A file that says the same in other bytes has another digest, so it is refused.
func TestParseRefuses(t *testing.T) {
	file := string(encode(t, settled(t, mined(t, bitsOf(t, 1250)), vectorA(t))))
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(file)); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, file, want string }{
		{"nothing", "", "read receipt"},
		{"another format", strings.Replace(file, "split 1", "split 2", 1), `"dmpool split 2"`},
		{"a further field", strings.Replace(file, `"network"`, `"note": "", "network"`, 1), "unknown field"},
		{"a field twice", strings.Replace(file, `"fee_sats"`, `"fee_sats": 1, "fee_sats"`, 1), "not as the pool writes it"},
		{"other blanks", compact.String(), "not as the pool writes it"},
		{"a blank less at the end", strings.TrimSpace(file), "not as the pool writes it"},
		{"two receipts", file + file, "read receipt"},
		{"an amount with decimals", strings.Replace(file, `"fee_sats": 4687685`, `"fee_sats": 4687685.5`, 1), "read receipt"},
	}
	for _, tt := range tests {
		if _, err := receipt.Parse([]byte(tt.file)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse of %s = %v, want %q", tt.name, err, tt.want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	golden, err := os.ReadFile("testdata/split.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	f.Fuzz(func(t *testing.T, file []byte) {
		r, err := receipt.Parse(file)
		if err != nil {
			return
		}
		if again := encode(t, r); !bytes.Equal(again, file) {
			t.Errorf("a parsed file is written otherwise:\n%s", again)
		}
		_ = r.Verify()
	})
}
