package payout

import (
	"cmp"
	"fmt"
	"slices"
)

// Item is what one account gets from a payout.
type Item struct {
	Account int64
	Address string
	Script  []byte // scriptPubKey, the account's identity
	Amount  int64  // satoshis taken from the account

	// FeeShare is the part of Amount that goes to the network instead of the
	// miner. It is zero until the payout is planned, and always when the pool
	// bears the fee.
	FeeShare int64
}

// Net is what arrives at the address, in satoshis.
func (i Item) Net() int64 { return i.Amount - i.FeeShare }

// Candidate is an account as [Choose] sees it. Amounts are satoshis.
type Candidate struct {
	Account   int64
	Address   string
	Script    []byte
	Payable   int64 // what is owed and mature; negative after an orphaned block was paid
	MinPayout int64 // the account's own minimum, zero for the pool's
	Hold      bool  // set by the operator
	Payout    int64 // the open payout that already contains the account, zero for none
}

// Left says why an account that is owed something is not in a payout.
type Left struct {
	Account int64
	Reason  string // a sentence
}

// Choose selects what to pay now: every account that reached its minimum, the
// largest amounts first, as long as they fit the policy. spent is the total of
// the payouts of the last 24 hours. Nobody is ever paid in part, so an amount
// over a limit waits, and the reason is in the second result.
//
// The same candidates in any order give the same items, ordered by account.
func Choose(candidates []Candidate, p Policy, spent int64) ([]Item, []Left) {
	p = p.orDefaults()
	room := p.room(spent)

	candidates = slices.Clone(candidates)
	slices.SortFunc(candidates, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Payable, a.Payable), cmp.Compare(a.Account, b.Account))
	})

	var items []Item
	var left []Left
	for _, c := range candidates {
		if c.Payable <= 0 {
			continue
		}
		if reason := c.wait(p, len(items), room); reason != "" {
			left = append(left, Left{Account: c.Account, Reason: reason})
			continue
		}
		if room >= 0 {
			room -= c.Payable
		}
		items = append(items, Item{Account: c.Account, Address: c.Address, Script: c.Script, Amount: c.Payable})
	}

	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.Account, b.Account) })

	return items, left
}

// wait returns why c cannot be the next item, or "" when it can.
func (c Candidate) wait(p Policy, items int, room int64) string {
	least := max(p.MinPayout, c.MinPayout, dustLimit(c.Script))

	switch {
	case c.Hold:
		return "The account is on hold."
	case c.Payout != 0:
		return fmt.Sprintf("Payout %d of this account is still open.", c.Payout)
	case c.Payable < least:
		return fmt.Sprintf("Below the minimum of %d sats.", least)
	case p.MaxPayout > 0 && c.Payable > p.MaxPayout:
		return fmt.Sprintf("More than the %d sats that one payout may have.", p.MaxPayout)
	case items >= p.MaxItems:
		return "Waits for the next payout: this one has as many recipients as fit."
	case room >= 0 && c.Payable > room:
		return "Waits for a later payout: the limit for one payout or for 24 hours is reached."
	}

	return ""
}

// total is what the items take from their accounts, in satoshis.
func total(items []Item) int64 {
	var sum int64
	for _, i := range items {
		sum += i.Amount
	}

	return sum
}

// shares is the part of the network fee that the items bear, in satoshis.
func shares(items []Item) int64 {
	var sum int64
	for _, i := range items {
		sum += i.FeeShare
	}

	return sum
}
