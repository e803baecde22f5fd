package appliance

import (
	"context"
	"net"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Network returns the network of this box.
func (a *Appliance) Network() string { return a.network }

// SetUp tells whether the box has an operator.
func (a *Appliance) SetUp(ctx context.Context) bool {
	done, err := hasOperator(ctx, a.db.Reader())
	return err == nil && done
}

// DB returns ledger.db, in which the web sessions live too.
func (a *Appliance) DB() *sqlite.DB { return a.db }

// Ledger returns the books.
func (a *Appliance) Ledger() *ledger.Ledger { return a.ledger }

// Pool returns the running pool, nil before the set-up.
func (a *Appliance) Pool() *pool.Pool { return a.pool.Load() }

// Shares returns the share log, nil before the set-up.
func (a *Appliance) Shares() *shares.Log {
	if a.pool.Load() == nil {
		return nil
	}
	return a.shares
}

// Payouts returns the payout desk, nil before the set-up.
func (a *Appliance) Payouts() *payout.Desk {
	if a.pool.Load() == nil {
		return nil
	}
	return a.payouts
}

// NodeClient returns the node's RPC, nil before the set-up.
func (a *Appliance) NodeClient() *node.Client {
	if a.pool.Load() == nil {
		return nil
	}
	return a.node
}

// Subscribe returns everything that happens on this box, see [pool.Events].
func (a *Appliance) Subscribe() (<-chan pool.Event, func()) { return a.events.Subscribe() }

// Addresses returns the IP addresses under which this box can be reached, those
// of the home network first.
func (a *Appliance) Addresses() []string { return lanAddresses() }

// StratumPort returns the port for miners, 0 when there is none.
func (a *Appliance) StratumPort() int { return portOf(a.config.Stratum) }

// portOf is the port of the first listener, 0 when there is none.
func portOf(list []net.Listener) int {
	if len(list) == 0 {
		return 0
	}
	if addr, ok := list[0].Addr().(*net.TCPAddr); ok {
		return addr.Port
	}
	return 0
}
