package payout

import (
	"bytes"
	"crypto/sha256"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Payout is one batch: several accounts paid by one transaction, or the pool's own
// money on its way to the cold address ([PurposeSweep]). Amounts are
// satoshis. What belongs to the transaction is zero while the payout is a draft;
// once there are several, it is that of the one in a block, or else of the newest.
type Payout struct {
	ID      int64
	Rev     int64 // grows with each change of state
	State   State
	Purpose Purpose

	CreatedBy string
	Note      string
	CreatedAt time.Time
	UpdatedAt time.Time // of the last change of state
	ExpiresAt time.Time // when the wait for an approval, of a higher fee as well, or then for a signature, ends; zero while a draft

	Total      int64 // sum of the items
	FeePolicy  FeePolicy
	Recipients int    // number of items
	FeeCap     int64  // the network fee is at most this
	Digest     []byte // what an approval is bound to, the one that is asked for or was given
	Waits      bool   // for an approval: of its plan, or of a higher fee than was approved
	Problem    string // a sentence: why it does not go on; empty when all is well

	TxID          *chainhash.Hash // nil while a draft
	Fee, Change   int64
	VSize         int64           // vbytes, zero until signed
	Height        int32           // of the block that holds it, zero for none
	BlockHash     *chainhash.Hash // nil for none
	Confirmations int32           // as of the last pass over the payouts

	// Only Get fills these in.
	Items     []Item
	Inputs    []Input
	Approvals []Approval
	Attempts  []Attempt // its transactions, oldest first
	Sponsors  []Attempt // transactions that spend its change to get it mined, oldest first
	Can       Can       // what can be done with it now
	PSBT      string    // base64 (BIP 174), unsigned
	Raw       []byte    // the signed transaction

	attempt int64 // id in payout_tx
}

// Approval is a person's yes to one revision of one payout.
type Approval struct {
	ID     int64  // of the payout
	Rev    int64  // revision that was on the screen
	Digest []byte // Payout.Digest that was on the screen
	User   string
	Method string // how the person proved to be there: password, totp
	IP     string
	At     time.Time // set by Approve
}

// EstimatedVSize is the size in vbytes that the transaction will have, or has once
// it is signed; zero while a draft.
func (p Payout) EstimatedVSize() int64 {
	if p.VSize > 0 || p.PSBT == "" {
		return p.VSize
	}
	packet, err := decodePSBT(p.PSBT)
	if err != nil {
		return 0
	}

	return (signedWeight(packet.UnsignedTx) + 3) / 4
}

// Event tells that a payout has changed its state or has a new problem.
type Event struct {
	Payout  int64 // zero when it concerns all: payouts are frozen
	State   State
	Total   int64 // satoshis
	TxID    *chainhash.Hash
	Problem string // a sentence, empty when all is well
}

// Due is an account that the pool owes mature money.
type Due struct {
	Account  int64
	Address  string
	Payable  int64  // satoshis free to be paid
	Reserved int64  // satoshis in open payouts
	Reason   string // why the next draft would leave it out, a sentence; empty when it would pay it
}

// PaidItem is an account's part of a payout.
type PaidItem struct {
	Payout        int64
	State         State
	Amount        int64 // satoshis taken from the account
	FeeShare      int64 // part of Amount that went to the network
	TxID          *chainhash.Hash
	Vout          *uint32 // output of TxID; only after Locate
	Height        int32   // zero while unconfirmed
	Confirmations int32
	At            time.Time // of the last change of state
}

// plan rebuilds, from what is stored, the plan that the payout had at revision
// rev. It is a problem when that no longer gives the stored digest.
func (p Payout) plan(rev int64) (Plan, error) {
	packet, err := decodePSBT(p.PSBT)
	if err != nil {
		return Plan{}, err
	}
	tx := packet.UnsignedTx
	rest, err := unplanned(tx, p.Items)
	if err != nil {
		return Plan{}, err
	}

	plan := Plan{
		Payout: p.ID, Rev: rev, Purpose: p.Purpose, FeePolicy: p.FeePolicy,
		Items: p.Items, Inputs: make([]Input, 0, len(p.Inputs)),
		Change: p.Change, Fee: p.Fee, FeeCap: p.FeeCap, TxID: tx.TxHash(),
	}
	if len(rest) > 0 {
		plan.ChangeScript = rest[0].PkScript
	}

	amounts := make(map[string]int64, len(p.Inputs))
	for _, in := range p.Inputs {
		amounts[in.OutPoint.String()] = in.Amount
	}
	for n, in := range tx.TxIn {
		op := in.PreviousOutPoint
		out, err := spentOutput(packet, n)
		if err != nil {
			return Plan{}, err
		}
		plan.Inputs = append(plan.Inputs, Input{OutPoint: op, Amount: amounts[op.String()], Script: out.PkScript})
	}

	if digest := plan.Digest(); !bytes.Equal(digest[:], p.Digest) {
		return Plan{}, problemf("What is stored of payout %d is not what its digest says: %x, not %x.",
			p.ID, digest[:sha256.Size/4], p.Digest[:min(len(p.Digest), sha256.Size/4)])
	}

	return plan, nil
}

// approved returns the plan that was approved.
func (p Payout) approved() (Plan, error) {
	for i := len(p.Approvals) - 1; i >= 0; i-- {
		if a := p.Approvals[i]; bytes.Equal(a.Digest, p.Digest) {
			return p.plan(a.Rev)
		}
	}

	return Plan{}, problemf("Payout %d has no approval of its present plan.", p.ID)
}
