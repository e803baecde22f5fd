package payout

import (
	"context"
	"fmt"
	"maps"
	"strconv"

	"github.com/dmpool/dmpool/pool/ledger"
)

// Deed is what somebody has decided about money, a person or a rule in their place.
type Deed struct {
	Action    string            // "payout.approve"
	Object    string            // what it is about: "pay:7", or an address
	Actor, IP string            // who, and from where; a rule is nowhere
	Detail    map[string]string // what else was decided, such as the sum
}

// Journal writes a deed down in the transaction that does it, so that there are
// both or neither. When it fails, nothing is done, and its error comes back wrapped.
type Journal func(ctx context.Context, tx *ledger.Tx, e Deed) error

// deed is what was decided about one payout.
func (c Change) deed(action string, detail map[string]string) Deed {
	return Deed{Action: action, Object: ref(c.ID), Actor: c.Actor, IP: c.IP, Detail: detail}
}

// record writes deeds into the journal.
func (d *Desk) record(ctx context.Context, tx *ledger.Tx, deeds ...Deed) error {
	for _, e := range deeds {
		if err := d.journal(ctx, tx, e); err != nil {
			return fmt.Errorf("record %s: %w", e.Action, err)
		}
	}

	return nil
}

// satsOf begins the details of a deed with its amount.
func satsOf(amount int64, more map[string]string) map[string]string {
	detail := map[string]string{"sats": strconv.FormatInt(amount, 10)}
	maps.Copy(detail, more)

	return detail
}
