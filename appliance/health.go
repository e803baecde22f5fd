package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/vitals"
)

// How a part, or the whole box, is.
const (
	Healthy  = "healthy"
	Degraded = "degraded"
	Down     = "down"
)

// Check is the state of one part of the box with its reason and what to do.
type Check struct {
	Name     string // "node", "stratum", "wallet", "ledger", "backup", "db", "disk", "memory", "clock", "ports", "shares", "service"
	Status   string // Healthy, Degraded or Down
	Reason   string // a sentence, also when all is well
	NextStep string // a sentence, empty when there is nothing to do
}

// Health is the state of the box: as bad as its worst part.
type Health struct {
	Status string
	Checks []Check
}

// newHealth sums checks up.
func newHealth(checks ...Check) Health {
	h := Health{Status: Healthy, Checks: checks}
	for _, c := range checks {
		if worse(c.Status, h.Status) {
			h.Status = c.Status
		}
	}
	return h
}

// worse tells whether one status is worse than another.
func worse(a, b string) bool { return a == Down && b != Down || a == Degraded && b == Healthy }

// healthDeadline bounds how long the checks wait for disk and node.
const healthDeadline = 5 * time.Second

// Health looks at every part: the one place where it is said what is wrong and what to
// do, for the pages, the API, the figures, and `dmpool doctor`, which asks for it
// beside the running box ([Examine]). It asks the node, so it takes milliseconds when
// all is well and up to five seconds when the node hangs.
func (a *Appliance) Health(ctx context.Context) Health {
	ctx, cancel := context.WithTimeout(ctx, healthDeadline)
	defer cancel()
	now, n := time.Now(), a.Node(ctx)
	service := a.checkServiceHealth(ctx, n)
	return newHealth(
		a.checkNodeHealth(n, service), a.checkStratumHealth(), a.checkShareHealth(ctx, now), a.checkPortHealth(),
		a.checkWalletHealth(ctx), a.checkMoneyHealth(ctx), a.checkBackupHealth(ctx, now), a.checkDBHealth(ctx),
		a.checkDiskHealth(), checkMemory(vitals.Read(now)), a.checkClockHealth(now, n), service,
	)
}

// checkNodeHealth is told how the service is that runs the node, if one does.
func (a *Appliance) checkNodeHealth(n NodeStatus, service Check) Check {
	c := Check{Name: "node", Status: Healthy, Reason: fmt.Sprintf("The node is at block %d.", n.Height)}
	switch {
	case a.runner.Load() == nil:
		c.Status, c.Reason = Down, n.Text
		c.NextStep = "Open the node page and get Bitcoin Core there."
		if found := a.found.Load(); found != nil {
			c.NextStep = *found
		}
		if n.Next != "" {
			c.NextStep = n.Next
		}
	case n.Problem != "":
		c.Status, c.Reason = Degraded, n.Problem
		c.NextStep = "Open the node page; the box keeps asking."
	case n.Class == classChain:
		c.Status, c.Reason, c.NextStep = Down, n.Text, n.Next
	case n.Phase == "failed" && n.Repair:
		c.Status, c.Reason, c.NextStep = Down, n.Text, "Open the node page; a repair can be ordered there."
	case n.Phase == "failed" && n.Address != "":
		c.Status, c.Reason, c.NextStep = Down, n.Text, "Look at the node: the box does not run it, and goes on by itself when it answers."
	case n.Phase == "ready" && lacking(n.Abilities) != "":
		c.Status, c.Reason, c.NextStep = Degraded, lacking(n.Abilities), "Change that at the node; the box notices within a minute."
	case n.Phase == "failed" && n.Class == string(bitcoind.ClassService):
		c.Status, c.Reason, c.NextStep = Down, n.Text, service.NextStep
	case n.Phase == "failed":
		c.Status, c.Reason, c.NextStep = Down, n.Text, "Open the node page; its log tells what bitcoind says."
	case n.Asked && n.Phase != "ready":
		c.Status, c.Reason = Degraded, n.Text
		c.NextStep = "Wait: miners stay connected and get work as soon as the node has the whole chain."
	case n.Phase != "ready":
		c.Status, c.Reason = Degraded, n.Text
		c.NextStep = "Wait: the box starts the node by itself and tries again when it fails."
	case len(n.Warnings) > 0:
		c.Status, c.Reason, c.NextStep = Degraded, n.Warnings[0].Text, n.Warnings[0].Next
	}
	return c
}

func (a *Appliance) checkStratumHealth() Check {
	p := a.pool.Load()
	if p == nil {
		return Check{
			Name: "stratum", Status: Down, Reason: "The pool begins when the node can run.",
			NextStep: "Nothing has to be done at the miners.",
		}
	}
	s := p.Status()
	if !s.Serving {
		return Check{
			Name: "stratum", Status: Degraded, Reason: "Miners get no new work: " + s.Reason + ".",
			NextStep: "Nothing is lost; work goes out again as soon as this ends.",
		}
	}
	if s.FallbackAlarm {
		return Check{
			Name: "stratum", Status: Degraded, Reason: "Blocks are not settled as the settings say: " + s.Fallback + ".",
			NextStep: "Mining goes on and the books say who is owed what. The log has the details.",
		}
	}
	return Check{Name: "stratum", Status: Healthy, Reason: fmt.Sprintf("%d miners are connected.", len(s.Sessions))}
}

func (a *Appliance) checkDBHealth(ctx context.Context) Check {
	var one int
	err := a.db.Reader().QueryRowContext(ctx, `SELECT 1 FROM setting LIMIT 1`).Scan(&one)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return Check{
			Name: "db", Status: Down, Reason: "The ledger cannot be read: " + err.Error() + ".",
			NextStep: "Check the disk and its free space.",
		}
	}
	return Check{Name: "db", Status: Healthy, Reason: "Both databases answer."}
}

func (a *Appliance) checkWalletHealth(ctx context.Context) Check {
	if a.pool.Load() == nil {
		return Check{Name: "wallet", Status: Down, Reason: "The wallet opens when the node can run.", NextStep: "Nothing has to be done at the wallet."}
	}
	w := a.Wallet(ctx)
	untried, remind := a.checkWayBack(ctx, w)
	switch {
	case !w.Wanted:
		return Check{Name: "wallet", Status: Healthy, Reason: "Each block pays its miner, and all of it, so this pool needs no wallet."}
	case w.Problem != "":
		next := "Payouts wait until it is. After a start no work goes out before the wallet has shown that it owns the reward address."
		switch {
		case !w.Paid:
			next = "Payouts wait until it is. Mining goes on: blocks do not pay this wallet."
		case w.Restorable:
			next = "Payouts wait until it is. Mining goes on: what blocks pay meanwhile is there once the wallet is restored."
		}
		return Check{Name: "wallet", Status: Degraded, Reason: "The wallet is not ready: " + w.Problem + ".", NextStep: next}
	case w.NeedsKey:
		return Check{
			Name: "wallet", Status: Degraded, Reason: "The wallet is locked and its passphrase is not known to the box.",
			NextStep: "Type the passphrase on the payouts page before the next payout.",
		}
	case w.Limit.Over > 0:
		return Check{
			Name: "wallet", Status: Degraded, NextStep: w.Limit.Advice,
			Reason: fmt.Sprintf("The wallet holds %d sat, %d more than you want it to.", w.Trusted, w.Limit.Over),
		}
	case w.Backup.Problem != "":
		return Check{
			Name: "wallet", Status: Degraded, Reason: "The last copy of the wallet failed: " + w.Backup.Problem + ".",
			NextStep: "Look at the free space of the disk, then run the job wallet-backup again.",
		}
	case remind:
		return untried
	}
	return Check{Name: "wallet", Status: Healthy, Reason: "The wallet is loaded."}
}

// checkMoneyHealth tells of a frozen ledger, and of the last full check of its
// sums, which the ledger-check job makes.
func (a *Appliance) checkMoneyHealth(ctx context.Context) Check {
	if a.pool.Load() == nil {
		return Check{Name: "ledger", Status: Healthy, Reason: "No money has been booked yet."}
	}
	runs, err := a.JobRuns(ctx, "ledger-check", 1)
	switch {
	case err != nil:
		return Check{Name: "ledger", Status: Down, Reason: err.Error(), NextStep: "Check the disk."}
	case len(runs) == 0:
		return a.checkBooks(ctx, "The sums have not been checked since the start yet.", "")
	case !runs[0].OK:
		return a.checkBooks(ctx, "", runs[0].Message)
	}
	return a.checkBooks(ctx, "All sums agree.", "")
}

// checkBooks is told what came out when all sums were checked: that they are right, or
// what is wrong with them.
func (a *Appliance) checkBooks(ctx context.Context, right, wrong string) Check {
	if reason, frozen := a.payouts.Frozen(ctx); frozen {
		return Check{
			Name: "ledger", Status: Down, Reason: "Payouts are frozen: " + reason,
			NextStep: "Open Books and wallet on the payouts page. Nothing is paid until this is explained; mining and booking go on.",
		}
	}
	if wrong != "" {
		return Check{
			Name: "ledger", Status: Down, Reason: "The ledger's check failed: " + wrong,
			NextStep: "Do not approve payouts. Keep a copy of the data directory and ask for help.",
		}
	}
	return a.checkShortfall(ctx, Check{Name: "ledger", Status: Healthy, Reason: right})
}

// checkShortfall tells when the pool has borne more chain fees, and losses, than it
// earned: the last miners to be paid would find the wallet short by that much. What
// somebody has sent to the wallet meanwhile only has to be booked.
func (a *Appliance) checkShortfall(ctx context.Context, c Check) Check {
	sums, err := a.ledger.Sums(ctx)
	if err != nil {
		return Check{Name: c.Name, Status: Down, Reason: err.Error(), NextStep: "Check the disk."}
	}
	short := sums.Shortfall()
	if short <= 0 {
		return c
	}
	c.Reason += fmt.Sprintf(" The pool has paid %d sat of chain fees and losses beyond what it earned.", short)
	if short <= a.Settings().MinPayoutSat {
		return c
	}
	c.Status = Degraded
	c.NextStep = fmt.Sprintf("Send %d sat to the pool's wallet, or charge a small fee.", short)
	if books, known := a.payouts.Compared(); known && books.Surplus() >= short {
		c.NextStep = fmt.Sprintf("The wallet has %d sat that are not booked. Open Books and wallet on the payouts page to book them as the pool's own.", books.Surplus())
	}
	return c
}
