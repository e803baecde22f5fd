package webui

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/big"
	"sync"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/receipt"
	"github.com/dmpool/dmpool/pool/work"
)

// receiptCache keeps the latest receipts: they never change, and one of ten
// thousand miners takes a moment to write.
type receiptCache struct {
	mu    sync.Mutex
	files map[chainhash.Hash]receiptFile
}

const cachedReceipts = 4

func (c *receiptCache) get(hash chainhash.Hash) (receiptFile, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.files[hash]
	return f, ok
}

func (c *receiptCache) put(hash chainhash.Hash, f receiptFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil || len(c.files) >= cachedReceipts {
		c.files = map[chainhash.Hash]receiptFile{}
	}
	c.files[hash] = f
}

// blockHash reads a hash as people write it.
func blockHash(text string) (chainhash.Hash, error) {
	hash, err := chainhash.NewHashFromStr(text)
	if err != nil || len(text) != 2*chainhash.HashSize {
		return chainhash.Hash{}, notFound()
	}
	return *hash, nil
}

// frozen reads a block and the window that its split was frozen from.
func (m *machine) frozen(ctx context.Context, hash chainhash.Hash) (ledger.Block, ledger.Window, error) {
	b, err := m.box.Ledger().Block(ctx, hash)
	if errors.Is(err, ledger.ErrNotFound) {
		return b, ledger.Window{}, notFound()
	}
	if err != nil {
		return b, ledger.Window{}, fmt.Errorf("read block: %w", err)
	}
	if !b.Frozen {
		return b, ledger.Window{}, absent("The split of this block is being computed from the share log; ask again in a moment.")
	}
	w, err := m.box.Ledger().Window(ctx, hash)
	if err != nil {
		return b, w, fmt.Errorf("read window: %w", err)
	}
	return b, w, nil
}

func (m *machine) Receipt(ctx context.Context, text string) (receiptFile, error) {
	hash, err := blockHash(text)
	if err != nil {
		return receiptFile{}, err
	}
	if f, ok := m.receipts.get(hash); ok {
		return f, nil
	}
	b, w, err := m.frozen(ctx, hash)
	if err != nil {
		return receiptFile{}, err
	}
	return m.writeReceipt(b, w)
}

func (m *machine) writeReceipt(b ledger.Block, w ledger.Window) (receiptFile, error) {
	if f, ok := m.receipts.get(b.Hash); ok {
		return f, nil
	}
	r, err := receipt.New(m.box.Network(), b, w)
	if err != nil {
		return receiptFile{}, err
	}
	file, err := r.Encode()
	if err != nil {
		return receiptFile{}, err
	}
	f := receiptFile{File: file, Digest: receipt.Digest(file), Height: b.Height}
	m.receipts.put(b.Hash, f)
	return f, nil
}

func (m *machine) Credited(ctx context.Context, address string, limit int) ([]creditedLine, error) {
	credits, err := m.box.Ledger().Credits(ctx, address, limit)
	if err != nil {
		return nil, fmt.Errorf("read credits: %w", err)
	}
	var lines []creditedLine
	for _, c := range credits {
		lines = append(lines, creditedLine{Hash: c.Hash.String(), Height: c.Height, At: c.At, State: string(c.State), Amount: c.Amount})
	}
	return lines, nil
}

func (m *machine) Statement(ctx context.Context, address, text string) (statementView, error) {
	hash, err := blockHash(text)
	if err != nil {
		return statementView{}, err
	}
	_, script, err := pool.ParseAddress(address, m.box.Network())
	if err != nil {
		return statementView{}, invalid(asSentence(err))
	}
	b, w, err := m.frozen(ctx, hash)
	if err != nil {
		return statementView{}, err
	}
	file, err := m.writeReceipt(b, w)
	if err != nil {
		return statementView{}, err
	}
	v := statementView{
		blockLine: m.blockLine(b), Address: address, Settlement: b.Terms.Settlement,
		FeeBps: b.Terms.FeeBps, WindowPct: approximate(float64(b.Terms.WindowMilli) / 10),
		Fee: b.Fee, Donation: b.Donation, Reserve: b.Reserve, Shared: b.Value - b.Fee - b.Donation - b.Reserve,
		Miners: len(b.Split), Since: w.From, First: w.FromSeq, Last: w.WinnerSeq,
		Tag: receipt.Tag(hash, script), Digest: file.Digest,
	}
	return v, v.fillWork(b, w, script)
}

// fillWork finds the address in the window and tells what it did.
func (v *statementView) fillWork(b ledger.Block, w ledger.Window, script []byte) error {
	own, sum := -1, new(big.Rat)
	for i, weight := range w.Weights {
		sum.Add(sum, weight.Score)
		if bytes.Equal(weight.Script, script) {
			own = i
		}
	}
	if own < 0 {
		return notFound()
	}
	v.Credit, v.Paid = b.Split[own].Amount, b.Split[own].Paid
	score := w.Weights[own].Score
	v.Score, v.Sum = score.RatString(), sum.RatString()
	part, _ := new(big.Rat).Quo(score, sum).Float64()
	filled, _ := new(big.Rat).Quo(sum, big.NewRat(b.Terms.WindowMilli, 1000)).Float64()
	v.Part, v.Filled = &part, &filled
	for n, e := range w.Epochs {
		line := epochLine{Own: w.Weights[own].Parts[n].Work, Shares: w.Weights[own].Parts[n].Shares, All: new(big.Int)}
		for _, weight := range w.Weights {
			line.All.Add(line.All, weight.Parts[n].Work)
		}
		if target, err := work.TargetFromBits(e.Bits); err == nil {
			line.Difficulty = new(target.Difficulty())
		}
		take, _ := e.Take.Float64()
		line.Take = &take
		v.Epochs = append(v.Epochs, line)
		v.Shares += line.Shares
	}
	return nil
}

func (m *machine) Payment(ctx context.Context, address string, id int64) (paymentView, error) {
	desk, err := m.desk()
	if err != nil {
		return paymentView{}, err
	}
	p, err := desk.Get(ctx, id)
	if err != nil {
		return paymentView{}, asProblem(err)
	}
	for _, item := range p.Items {
		if item.Address != address {
			continue
		}
		v := paymentViewOf(p, item)
		lines, err := itemsOf(ctx, desk, p)
		if err != nil {
			return v, err
		}
		for _, l := range lines {
			if l.Address == address && l.Earned != nil {
				l.Earned.Address, v.Earned = address, l.Earned
			}
		}
		return v, nil
	}
	return paymentView{}, notFound()
}

func paymentViewOf(p payout.Payout, item payout.Item) paymentView {
	v := paymentView{
		Address: item.Address, ID: p.ID, State: string(p.State), Amount: item.Amount, FeeShare: item.FeeShare,
		Height: p.Height, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
		Confirmations: p.Confirmations, Settles: payout.DefaultConfirmationsToSettle,
	}
	if p.TxID != nil {
		v.TxID = p.TxID.String()
	}
	if vout, ok := p.Vout(item); ok {
		v.Vout = &vout
	}
	if p.BlockHash != nil {
		v.Block = p.BlockHash.String()
	}
	return v
}
