package pool

import (
	"fmt"
	"strings"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/work"
)

// rejection is a list of payees with which the node refused a block.
type rejection struct {
	payees [32]byte
	reason string
}

// raiseAlarm tells that the node refuses a block for good, which is on disk all the
// same. If that may be due to whom its coinbase pays, no job pays these miners
// together any more until the pool starts anew: one lost block is enough.
func (p *Pool) raiseAlarm(block ledger.Found, job *work.Job, reason string) {
	p.Logger.Error("Node refused a block", "height", block.Height, "hash", block.Hash, "reason", reason)
	p.Events.Publish(Event{
		Kind: "block-state", At: time.Now(), Height: block.Height, Hash: block.Hash.String(),
		Address: block.Address, Worker: block.Worker, State: string(ledger.StateRejected), Amount: block.Value, Text: reason,
	})
	if block.Terms.Settlement != ledger.SettlementDirect || !strings.HasPrefix(reason, "bad-") {
		return // not the coinbase, but the header's time, say
	}
	select {
	case p.rejected <- rejection{payeesOf(job.Layout.Outputs), reason}:
	default: // there is one already, and the template loop will come to it
	}
}

// ban disables a list of payees.
func (p *Pool) ban(r rejection) {
	p.direct.banned[r.payees] = fmt.Sprintf("the node refused a block that paid these miners: %s", r.reason)
	p.offerAgain()
}
