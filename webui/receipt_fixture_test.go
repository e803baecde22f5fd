package webui

import (
	"context"
	"math/big"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/receipt"
)

// slips are the receipts of the golden data.
type slips struct {
	file      receiptFile
	credited  []creditedLine
	statement statementView
	payment   paymentView
	postings  []postingLine
	fail      error // after the first piece of a statement
}

func newSlips(g *golden) slips {
	file := []byte("{\n \"format\": \"dmpool split 1\"\n}\n")
	large := func(text string) *big.Int {
		n, _ := new(big.Int).SetString(text, 10)
		return n
	}
	s := slips{file: receiptFile{File: file, Digest: receipt.Digest(file), Height: g.block.Height}}
	for _, b := range g.blocks[1:] {
		s.credited = append(s.credited, creditedLine{Hash: b.Hash, Height: b.Height, At: b.FoundAt, State: b.State, Amount: 61_058_000})
	}
	s.statement = statementView{
		blockLine: g.block.blockLine, Address: aliceAddress, Settlement: "ledger", FeeBps: 100, WindowPct: "200",
		Fee: 3_142_001, Reserve: 1, Shared: 311_058_112, Credit: 61_058_000, Miners: 2,
		Since: noon.Add(-500 * time.Hour), First: 17, Last: 48_210, Shares: 18_201,
		Part: new(0.19629), Filled: new(0.0000412), Score: "19629/100000", Sum: "1/1",
		Tag: strings.Repeat("a1", 32), Digest: s.file.Digest,
		Epochs: []epochLine{
			{Difficulty: new(150.84e12), Own: large("81604378624000000"), All: large("402975273204876391568725"), Shares: 18_200, Take: new(1.0)},
			{Difficulty: new(148.2e12), Own: large("4398046511104"), All: large("4398046511104"), Shares: 1, Take: new(0.6)},
		},
	}
	s.payment = paymentView{
		Address: aliceAddress, ID: 40, State: "settled", Amount: 9_300_000, FeeShare: 550, TxID: strings.Repeat("77e0", 16), Vout: new(uint32(0)),
		Height: 924_600, Block: g.blocks[2].Hash, CreatedAt: noon.Add(-90 * time.Hour), UpdatedAt: noon.Add(-88 * time.Hour), Confirmations: 412, Settles: 6,
		Earned: &earnedLine{Address: aliceAddress, Sum: 9_300_000, Blocks: []blockPart{{g.blocks[2].Hash, 924211, 9_000_000}, {g.blocks[1].Hash, 924110, 300_000}}},
	}
	block := &postingBlock{Hash: g.blocks[2].Hash, Height: 924_211, Value: 313_020_500, Fee: 3_130_205}
	at := noon.Add(-140 * time.Hour)
	s.postings = []postingLine{
		{At: at, Event: 1, Account: 101, Address: aliceAddress, Kind: "credit", Bucket: "pending", Amount: -9_300_000, Actor: "chain", Block: block},
		{At: at.Add(time.Hour), Event: 2, Account: 101, Address: aliceAddress, Kind: "mature", Bucket: "pending", Amount: 9_300_000, Actor: "chain", Block: block},
		{At: at.Add(time.Hour), Event: 2, Account: 101, Address: aliceAddress, Kind: "mature", Bucket: "payable", Amount: -9_300_000, Actor: "chain", Block: block},
		{At: at.Add(2 * time.Hour), Event: 3, Account: 101, Address: aliceAddress, Kind: "reserve", Bucket: "payable", Amount: 9_300_000, Actor: "=cmd|'/c calc'!A0", Payout: 40},
		{At: at.Add(2 * time.Hour), Event: 3, Account: 101, Address: aliceAddress, Kind: "reserve", Bucket: "reserved", Amount: -9_300_000, Actor: "=cmd|'/c calc'!A0", Payout: 40},
		{At: at.Add(3 * time.Hour), Event: 4, Account: 101, Address: aliceAddress, Kind: "settle", Bucket: "reserved", Amount: 9_300_000, Actor: "chain", Payout: 40, TxID: strings.Repeat("77e0", 16), Vout: new(uint32(0)), FeeShare: new(int64(550))},
		{At: at.Add(4 * time.Hour), Event: 5, Account: 101, Address: aliceAddress, Kind: "unmature", Bucket: "payable", Amount: 9_300_000, Actor: "chain", Block: block},
	}
	return s
}

func (g *golden) Receipt(_ context.Context, hash string) (receiptFile, error) {
	if hash != g.block.Hash || g.fresh {
		return receiptFile{}, notFound()
	}
	return g.slips.file, nil
}

func (g *golden) Credited(_ context.Context, address string, _ int) ([]creditedLine, error) {
	if address != aliceAddress {
		return nil, nil
	}
	return g.slips.credited, nil
}

func (g *golden) Statement(_ context.Context, address, hash string) (statementView, error) {
	if address != g.slips.statement.Address || hash != g.block.Hash {
		return statementView{}, notFound()
	}
	return g.slips.statement, nil
}

func (g *golden) Payment(_ context.Context, address string, id int64) (paymentView, error) {
	if address != g.slips.payment.Address || id != g.slips.payment.ID {
		return paymentView{}, notFound()
	}
	return g.slips.payment, nil
}

// Postings come one event at a time.
func (g *golden) Postings(_ context.Context, address string, after int64) ([]postingLine, error) {
	if address != aliceAddress && address != "" {
		return nil, notFound()
	}
	if g.slips.fail != nil && after > 0 {
		return nil, g.slips.fail
	}
	var lines []postingLine
	for _, l := range g.slips.postings {
		if l.Event == after+1 {
			lines = append(lines, l)
		}
	}
	return lines, nil
}
