package webui

import (
	"net/url"
	"strings"

	"github.com/dmpool/dmpool/pool/ledger"
)

// earnedLine says why a miner gets what a payout pays: what came since the last
// payment.
type earnedLine struct {
	Address string      // of the miner who reads it; empty for operators
	First   bool        // there was no payment before
	Blocks  []blockPart // newest first
	Sum     int64       // of the blocks
	Lost    []blockPart // blocks that left the chain after they were paid; negative
	Back    int64       // of payouts that were given up; negative when one went through after all
	Other   int64       // corrections by hand
	Rest    int64       // what was left over before
}

// blockPart is a miner's part of a block, in satoshis.
type blockPart struct {
	Hash   string
	Height int32
	Amount int64
}

// Link is where a block is explained: to the miner, what that address got of it.
func (r earnedLine) Link(b blockPart) string {
	if r.Address != "" {
		return "/observer/" + url.PathEscape(r.Address) + "/blocks/" + b.Hash
	}
	return "/blocks/" + b.Hash
}

// maxParts is how many blocks are listed one by one.
const maxParts = 25

// Listed are the newest blocks.
func (r earnedLine) Listed() []blockPart { return r.Blocks[:min(len(r.Blocks), maxParts)] }

// Unlisted is how many blocks are older than that.
func (r earnedLine) Unlisted() int { return len(r.Blocks) - len(r.Listed()) }

// Taken is what was lost with blocks, as a positive number.
func (r earnedLine) Taken() (sum int64) {
	for _, b := range r.Lost {
		sum -= b.Amount
	}
	return sum
}

// explain says where the amounts of a payout come from, by account.
func explain(origins []ledger.Origin, amounts map[int64]int64) map[int64]*earnedLine {
	earned := map[int64]*earnedLine{}
	for account, amount := range amounts {
		earned[account] = &earnedLine{Rest: amount}
	}
	for _, o := range origins {
		r := earned[o.Account]
		if r == nil {
			continue
		}
		r.First, r.Rest = o.First, r.Rest-o.Amount
		switch {
		case o.Block != nil:
			part := blockPart{Hash: o.Block.Hash.String(), Height: o.Block.Height, Amount: o.Amount}
			if o.Amount < 0 {
				r.Lost = append(r.Lost, part)
				continue
			}
			r.Blocks, r.Sum = append(r.Blocks, part), r.Sum+o.Amount
		case strings.HasPrefix(o.Ref, "pay:"):
			r.Back += o.Amount
		default:
			r.Other += o.Amount
		}
	}
	return earned
}
