package appliance

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// ErrNothingToRepair says that the node waits for no repair.
var ErrNothingToRepair = bitcoind.ErrNothingToRepair

// nodeRepair is the last repair of the node's databases that was begun.
type nodeRepair struct {
	At     time.Time       `json:"at"`
	Class  bitcoind.Class  `json:"class"`
	Repair bitcoind.Repair `json:"repair"`
}

// repairAlone is how long after a repair the box does not begin another one by
// itself: damage that comes back points to a disk or memory that fails.
const repairAlone = 30 * 24 * time.Hour

// mendNode allows the node one repair, and remembers it before it begins.
func (a *Appliance) mendNode(ctx context.Context, class bitcoind.Class, repair bitcoind.Repair) error {
	var last nodeRepair
	known, err := a.readSetting(ctx, settingRepair, &last)
	if err != nil {
		return fmt.Errorf("it is not repaired by itself, because the ledger cannot tell whether it was before: %w", err)
	}
	if known && time.Since(last.At) < repairAlone {
		return fmt.Errorf("the last repair was on %s, so the disk or the memory of this machine may be failing: look at them, "+
			"then order another repair on the node page", last.At.UTC().Format("2 January 2006"))
	}
	if err := a.noteRepair(ctx, class, repair, "box", ""); err != nil {
		return fmt.Errorf("it is not repaired by itself, because that cannot be written down: %w", err)
	}
	return nil
}

// RepairNode has the node build its damaged databases anew, because a person
// says so. The error is [ErrNothingToRepair] when there is no need.
func (a *Appliance) RepairNode(ctx context.Context, actor, ip string) error {
	child := a.ownNode()
	if child == nil {
		return ErrNothingToRepair
	}
	state := child.State()
	if state.Repair == bitcoind.RepairNone {
		return ErrNothingToRepair
	}
	if err := a.noteRepair(ctx, state.Class, state.Repair, actor, ip); err != nil {
		return err
	}
	return child.Repair()
}

func (a *Appliance) noteRepair(ctx context.Context, class bitcoind.Class, repair bitcoind.Repair, actor, ip string) error {
	now := time.Now()
	a.log.Warn("Node repair ordered", "class", class, "flag", repair, "by", actor)
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		if err := writeSetting(ctx, tx, settingRepair, nodeRepair{At: now, Class: class, Repair: repair}, now); err != nil {
			return err
		}
		return writeAudit(ctx, tx, AuditEntry{
			At: now, Actor: actor, Action: "node.repair", Object: string(class), Result: "ok", IP: ip,
			Detail: map[string]string{"flag": string(repair)},
		})
	})
}
