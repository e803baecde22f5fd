package receipt

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/work"
)

// Format names this form of the file.
const Format = "dmpool split 1"

// Receipt is the split of one block.
type Receipt struct {
	Format   string    `json:"format"`
	Network  string    `json:"network"`
	Block    Block     `json:"block"`
	Terms    Terms     `json:"terms"`
	Window   Window    `json:"window"`
	Epochs   []Epoch   `json:"epochs"` // newest first; none in a split of an early version
	Accounts []Account `json:"accounts"`
	Fee      int64     `json:"fee_sats"`
	Donation int64     `json:"donation_sats"`
	Reserve  int64     `json:"reserve_sats"`
}

// Block is what is shared, and the proof that it exists. Hashes are written as
// people know them, raw bytes in the order of the network.
type Block struct {
	Hash     string    `json:"hash"`
	Height   int32     `json:"height"`
	FoundAt  time.Time `json:"found_at"`
	Value    int64     `json:"value_sats"`
	Header   string    `json:"header"`        // 80 bytes
	Coinbase string    `json:"coinbase"`      // transaction without witness
	Branch   []string  `json:"merkle_branch"` // hashes beside the way from the coinbase to the root, lowest first
}

// Terms are the rules under which the block was found; see [ledger.Terms].
type Terms struct {
	Settlement  string `json:"settlement"`
	FeeBps      int64  `json:"fee_bps"`
	DonationBps int64  `json:"donation_bps"`
	WindowMilli int64  `json:"window_milli"`
	Underfill   string `json:"underfill"`
}

// Window says which accepted shares count, by their numbers in the share log.
type Window struct {
	FirstShare int64     `json:"first_share,omitzero"`
	LastShare  int64     `json:"last_share"` // the one that found the block
	Since      time.Time `json:"since,omitzero"`
}

// Epoch is work against one network difficulty.
type Epoch struct {
	Bits        string `json:"bits"`         // nBits, eight hexadecimal digits
	NetworkWork string `json:"network_work"` // expected hashes of a block
	Work        string `json:"work"`         // of all accounts
	Take        string `json:"take"`         // part that counts: 1, less where the window ends
}

// Account is a miner's line.
type Account struct {
	Tag    string   `json:"tag"`
	Work   []string `json:"work"`   // by epoch
	Shares []int64  `json:"shares"` // by epoch
	Score  string   `json:"score"`  // work · take / network work, added up
	Credit int64    `json:"credit_sats"`
	Paid   int64    `json:"paid_sats,omitzero"` // of the credit, by the coinbase itself
}

// Tag names the account of a script in the receipt of a block: SHA-256 over
// "dmpool account", a line feed, the block's hash as it is computed, and the
// scriptPubKey, in hexadecimal.
func Tag(block chainhash.Hash, script []byte) string {
	b := append([]byte("dmpool account\n"), block[:]...)
	sum := sha256.Sum256(append(b, script...))

	return hex.EncodeToString(sum[:])
}

// New writes the receipt of a block with its split ([ledger.Ledger.Block]) and the
// window that this was frozen from.
func New(network string, b ledger.Block, w ledger.Window) (Receipt, error) {
	if !b.Frozen || len(b.Split) != len(w.Weights) {
		return Receipt{}, fmt.Errorf("write receipt of block %s: %w", b.Hash, errors.New("its split is not fixed"))
	}
	block, err := blockOf(b)
	if err != nil {
		return Receipt{}, fmt.Errorf("write receipt of block %s: %w", b.Hash, err)
	}
	epochs, err := epochsOf(w)
	if err != nil {
		return Receipt{}, fmt.Errorf("write receipt of block %s: %w", b.Hash, err)
	}

	r := Receipt{
		Format: Format, Network: network, Block: block, Terms: Terms(b.Terms),
		Window: Window{FirstShare: w.FromSeq, LastShare: w.WinnerSeq},
		Epochs: epochs, Accounts: make([]Account, len(b.Split)),
		Fee: b.Fee, Donation: b.Donation, Reserve: b.Reserve,
	}
	if !w.From.IsZero() {
		r.Window.Since = w.From.UTC()
	}
	for i, weight := range w.Weights {
		a := Account{Tag: Tag(b.Hash, weight.Script), Work: []string{}, Shares: []int64{}, Score: weight.Score.RatString(), Credit: b.Split[i].Amount, Paid: b.Split[i].Paid}
		for _, p := range weight.Parts {
			a.Work, a.Shares = append(a.Work, p.Work.String()), append(a.Shares, p.Shares)
		}
		r.Accounts[i] = a
	}

	return r, nil
}

func epochsOf(w ledger.Window) ([]Epoch, error) {
	epochs := []Epoch{}
	for n, e := range w.Epochs {
		network, err := work.NetworkWork(e.Bits)
		if err != nil {
			return nil, err
		}
		sum := new(big.Int)
		for _, weight := range w.Weights {
			sum.Add(sum, weight.Parts[n].Work)
		}
		epochs = append(epochs, Epoch{
			Bits: fmt.Sprintf("%08x", e.Bits), NetworkWork: network.String(), Work: sum.String(), Take: e.Take.RatString(),
		})
	}

	return epochs, nil
}

// Encode returns the bytes of the file.
func (r Receipt) Encode() ([]byte, error) {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, fmt.Errorf("encode receipt: %w", err)
	}

	return append(b, '\n'), nil
}

// Digest is the fingerprint of a file, SHA-256 in hexadecimal.
func Digest(file []byte) string {
	sum := sha256.Sum256(file)

	return hex.EncodeToString(sum[:])
}

// Parse reads a file. It refuses one that says more or says it otherwise than
// Encode does, because the digest of such a file means nothing.
func Parse(file []byte) (Receipt, error) {
	var form struct {
		Format string `json:"format"`
	}
	if err := json.Unmarshal(file, &form); err != nil {
		return Receipt{}, fmt.Errorf("read receipt: %w", err)
	}
	if form.Format != Format {
		return Receipt{}, fmt.Errorf("read receipt: its format is %q, and %q is what this version knows", form.Format, Format)
	}

	var r Receipt
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Receipt{}, fmt.Errorf("read receipt: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return Receipt{}, errors.New("read receipt: something follows its end")
	}
	again, err := r.Encode()
	if err != nil {
		return Receipt{}, err
	}
	if at := differ(again, file); at >= 0 {
		return Receipt{}, fmt.Errorf("read receipt: byte %d is not as the pool writes it", at+1)
	}

	return r, nil
}

// differ returns the index of the first byte that differs, or -1.
func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) != len(b) {
		return min(len(a), len(b))
	}

	return -1
}
