package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// NetworkSwitch asks for another network. The caller has made sure that the
// operator is who they say.
type NetworkSwitch struct {
	Network   string
	Confirm   string // the network's name again, typed by the operator
	Actor, IP string
}

// ErrNotConfirmed says that the name of the network was not repeated.
var ErrNotConfirmed = errors.New("to switch, type the name of the new network once more")

// SwitchNetwork makes the box begin its next start on another network. Nothing
// of this one is touched: its chain, its books, its wallet and its operators stay
// in its folder, and switching back finds them. A network that this box has never
// been on begins with a set-up of its own.
func (a *Appliance) SwitchNetwork(ctx context.Context, s NetworkSwitch) error {
	if err := knownNetwork(s.Network); err != nil {
		return err
	}
	if s.Confirm != s.Network {
		return ErrNotConfirmed
	}
	if err := a.dir.prepare(s.Network); err != nil {
		return err
	}
	if !a.config.External.named() {
		if err := planFor(s.Network, a.nodeDisk(s.Network)); err != nil {
			return err
		}
	}
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		err := writeAudit(ctx, tx, AuditEntry{
			At: time.Now(), Actor: s.Actor, Action: "network", Object: s.Network, Result: "ok", IP: s.IP,
			Detail: map[string]string{"from": a.network, "to": s.Network},
		})
		if err != nil {
			return err
		}
		return a.dir.setNetwork(s.Network) // last, so that a switch is never without its row
	})
}

// NextNetwork returns the network of the next start; it differs from Network
// after a switch.
func (a *Appliance) NextNetwork() (string, error) { return a.dir.network() }

// switchTo changes the network of a directory that no daemon uses.
func (d dataDir) switchTo(network string) error {
	lock, err := d.lock()
	if err != nil {
		return err
	}
	return errors.Join(d.setNetwork(network), lock.Close())
}

// planFor returns why a node of that network cannot live in dir.
func planFor(network, dir string) error {
	machine, err := bitcoind.Survey(dir)
	if err != nil {
		return err
	}
	_, err = bitcoind.Decide(network, machine)
	return err
}

// nodePlan returns how much of the chain the node keeps, and the memory for its
// coins. The first is decided once, because a node that has thrown blocks away
// cannot get them back; an answer of the operator wins.
func (a *Appliance) nodePlan(ctx context.Context, wishes nodeSettings) (bitcoind.Plan, error) {
	machine, err := bitcoind.Survey(a.nodeDisk(a.network))
	if err != nil {
		return bitcoind.Plan{}, err
	}
	plan, err := bitcoind.Decide(a.network, machine)
	if err != nil {
		return bitcoind.Plan{}, fmt.Errorf("decide how the node runs: %w", err)
	}
	if wishes.PruneMiB != nil {
		plan.PruneMiB = *wishes.PruneMiB
		return plan, nil
	}
	var kept int
	known, err := a.readSetting(ctx, settingPrune, &kept)
	if err != nil {
		return bitcoind.Plan{}, err
	}
	if known {
		plan.PruneMiB = kept
		return plan, nil
	}
	return plan, a.saveSetting(ctx, settingPrune, plan.PruneMiB)
}

// maturity is the number of confirmations at which a reward becomes payable.
// Consensus asks for 100 and the wallet for 101; where coins are worth
// something, the pool waits for more (money.md 2.3).
func (a *Appliance) maturity() int32 {
	if a.privateChain() {
		return 101
	}
	return 120
}

// privateChain tells whether the chain lives on this box alone.
func (a *Appliance) privateChain() bool { return privateNetwork(a.network) }

func privateNetwork(network string) bool { return network == "practice" || network == "regtest" }
