package webui

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

func TestExplain(t *testing.T) {
	block := func(height int32) *ledger.LineBlock {
		return &ledger.LineBlock{Hash: chainhash.Hash{byte(height)}, Height: height}
	}
	part := func(height int32, amount int64) blockPart {
		return blockPart{chainhash.Hash{byte(height)}.String(), height, amount}
	}
	got := explain([]ledger.Origin{
		{Account: 101, First: true, Ref: "blk:", Block: block(7), Amount: 500},
		{Account: 102, Ref: "blk:", Block: block(9), Amount: 300},
		{Account: 102, Ref: "pay:3", Amount: 40},
		{Account: 102, Ref: "adj:1", Amount: -5},
		{Account: 102, Ref: "blk:", Block: block(8), Amount: 200},
		{Account: 102, Ref: "blk:", Block: block(6), Amount: -100},
		{Account: 999, Ref: "blk:", Block: block(6), Amount: 1},
	}, map[int64]int64{101: 500, 102: 445, 103: 7})
	want := map[int64]*earnedLine{
		101: {First: true, Sum: 500, Blocks: []blockPart{part(7, 500)}},
		102: {Sum: 500, Blocks: []blockPart{part(9, 300), part(8, 200)}, Back: 40, Other: -5, Lost: []blockPart{part(6, -100)}, Rest: 10},
		103: {Rest: 7},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// tags are the marks of a page, without which its words remain.
var tags = regexp.MustCompile(`<[^>]*>`)

// spoken is what a page says.
func spoken(page string) string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(strings.ReplaceAll(page, "<dd>", " "), "")), " ")
}

func TestEarnedInASentence(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	many := &earnedLine{Sum: 3000}
	for n := range maxParts + 5 {
		many.Blocks = append(many.Blocks, blockPart{fmt.Sprint(n), int32(n), 100})
	}
	w.box.payout.Items = append(w.box.payout.Items,
		itemLine{newAddress, 3000, 0, many},
		itemLine{newAddress, 1000, 0, &earnedLine{Back: 900, Rest: 100}},
		itemLine{newAddress, 1000, 0, &earnedLine{Sum: 2000, Blocks: []blockPart{{"00", 5, 2000}}, Back: -900, Other: -100}})
	page := w.get("/payouts/42").body
	checkPage(t, page)
	text := spoken(page)
	for _, want := range []string{
		"1 block, and no payment before: 512,000 sats.",
		"3 blocks since the last payment: 812,345 sats. Taken back with 1 block that left the chain: 102,045 sats.",
		"Block 924,110: 400,000 sats", "Block 923,007, which left the chain: −102,045 sats",
		"30 blocks since the last payment: 3,000 sats.", "and 5 older ones",
		"No new block since the last payment. Given back by a payout that was not made: 900 sats. Left over from before: 100 sats.",
		"1 block since the last payment: 2,000 sats. Paid after all by a payout that was given up: −900 sats. Corrections by hand: −100 sats.",
		"Network fee (about 4.51 sat/vB, 312 vB) 1,410 sats",
		"From 2 coins of the wallet, listed above 3,100,000 sats",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
}

// A yes to a higher fee is asked with that fee, not with the one that was sent.
func TestHigherFeeIsShown(t *testing.T) {
	g := stuck(newGolden())
	g.payout.Can.Approve = true
	g.payout.Attempts = append(g.payout.Attempts[:2:2], attemptLine{Kind: "bump", Fate: "funded", TxID: strings.Repeat("cc03", 16), Fee: 5120, VSize: 320})
	w := open(t, g)
	w.signIn()
	page := w.get("/payouts/42").body
	checkPage(t, page)
	text := spoken(page)
	for _, want := range []string{"A higher network fee waits for your yes: 5,120 sats, about 16 sat/vB, instead of 1,410 sats", "New network fee (about 16 sat/vB) 5,120 sats"} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q:\n%s", want, text)
		}
	}
}
