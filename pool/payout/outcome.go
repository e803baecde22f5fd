package payout

import (
	"slices"
	"strings"

	"github.com/dmpool/dmpool/pool/node"
)

// outcome is what an answer to sendrawtransaction tells about a stored
// transaction. None of them allows building another one.
type outcome int

const (
	sent      outcome = iota // the node has it, in its mempool or in a block
	noAnswer                 // nobody who knows was reached; nothing was learnt
	notNow                   // refused for a reason that passes: fees rose, coins not mature again after a reorg
	ambiguous                // an input is missing or spent, perhaps by this very transaction
	conflict                 // another transaction in the mempool spends one of its coins
	refused                  // never in this form: a person has to look
)

// sendOutcome reads the error of sendrawtransaction, nil included. Texts differ
// between node programs, so only their characteristic words are looked at, and
// the code first.
func sendOutcome(err error) outcome {
	if err == nil {
		return sent
	}
	code, answered := node.Code(err)
	if !answered || node.Unavailable(err) {
		return noAnswer
	}

	switch {
	case code == node.ErrCodeInChain, says(err, "txn-already-in-mempool", "txn-already-known"):
		return sent
	case code == node.ErrCodeVerify && says(err, "fee exceeds maximum", "max-fee-exceeded"):
		return refused
	case code == node.ErrCodeVerify:
		return ambiguous
	case code == node.ErrCodeRejected && says(err, "missingorspent", "missing-inputs"):
		return ambiguous
	case code == node.ErrCodeRejected && says(err, "insufficient fee", "txn-mempool-conflict", "bip125", "rejecting replacement"):
		return conflict
	case code == node.ErrCodeRejected && says(err, "min relay fee not met", "mempool min fee not met", "mempool full",
		"premature-spend", "non-final", "too-long-mempool-chain"):
		return notNow
	case code == node.ErrCodeRejected, code == node.ErrCodeDeserialization:
		return refused
	}

	return noAnswer
}

// says reports whether the text of err contains one of the words, in any case.
func says(err error, words ...string) bool {
	text := strings.ToLower(err.Error())

	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(text, w) })
}
