package appliance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// What the box gives up when its disk gets full (money.md 3), so that what is
// left lasts for what it must not give up: found blocks, the sums by which they
// are shared, and the booking of payouts that are on their way. On a public chain
// the steps are, by what is free:
//
//	20 GB   a warning, or 15 % of a small disk
//	 5 GB   the node page says that it is urgent
//	 2 GB   the node is stopped in order
//	 1 GB   single shares are not kept
//	300 MB  no new payouts
//	100 MB  the ballast of 256 MiB is given to the databases
//
// The ballast comes last, and below the limit of payouts by more than a payout
// takes: with one number for both, giving it up would at once begin payouts again,
// and these would use up what was kept for the blocks. For the same reason what it
// gave back is not counted as free until it can be laid in again.
const (
	singlesRoom = 1_000_000_000 // bytes free below which single shares are not kept
	payoutRoom  = 300_000_000   // bytes free below which there are no new payouts
)

// room is the free space of the data directory's disk.
type room struct {
	free    int64 // bytes, without what the ballast gave back
	reserve bool  // the ballast has been given up
	err     error // it could not be measured, which is no reason to give anything up
}

// room measures the disk, which is not touched by that.
func (a *Appliance) room() room {
	m, err := bitcoind.Survey(a.dir.root)
	return a.roomOf(m, err)
}

// roomOf takes off what belongs to the ballast while it is not there. A private
// chain has none.
func (a *Appliance) roomOf(m bitcoind.Machine, err error) room {
	r := room{free: m.DiskFree, err: err}
	if err != nil || a.privateChain() {
		return r
	}
	if _, err := os.Stat(a.dir.ballast(a.network)); errors.Is(err, fs.ErrNotExist) {
		r.free, r.reserve = max(0, m.DiskFree-ballastSize), true
	}
	return r
}

// noSingles tells whether single shares have to go.
func (r room) noSingles() bool { return r.err == nil && r.free < singlesRoom }

// notNow is why no new payouts are made, empty when they are.
func (r room) notNow() string {
	if r.err != nil || r.free >= payoutRoom {
		return ""
	}
	return fmt.Sprintf("the disk has only %s left, and new payouts begin with %s", size(r.free), size(payoutRoom))
}

// check puts the free space into words.
func (r room) check() Check {
	c := Check{Name: "disk", Status: Healthy, Reason: "The disk has " + size(r.free) + " left."}
	switch {
	case r.err != nil:
		c.Status, c.Reason, c.NextStep = Degraded, "The free space is not known: "+r.err.Error()+".", "Check the disk."
	case r.notNow() != "":
		c.Status = Down
		c.Reason += " There are no new payouts, and single shares are not kept. Blocks are still found, submitted and booked."
		if r.reserve {
			c.Reason += " The reserve for that, " + size(ballastSize) + ", is not counted and in use."
		}
		c.NextStep = "Free some space on the disk now; payouts go on by themselves at " + size(payoutRoom) + "."
	case r.noSingles():
		c.Status = Degraded
		c.Reason += " Single shares are not kept; who did how much work is counted exactly as before."
		c.NextStep = "Free some space on the disk; below " + size(payoutRoom) + " there are no new payouts."
	}
	return c
}

// size writes bytes for people.
func size(bytes int64) string {
	const mb, gb = 1_000_000, 1_000_000_000
	if bytes < gb {
		return fmt.Sprintf("%d MB", bytes/mb)
	}
	return fmt.Sprintf("%d.%d GB", bytes/gb, bytes%gb*10/gb)
}

func (a *Appliance) checkDiskHealth() Check { return a.room().check() }

// guardDisk makes room in the share log when the disk is nearly full.
func (a *Appliance) guardDisk(ctx context.Context) (string, error) {
	r := a.room()
	if r.err != nil {
		return "", r.err
	}
	if !r.noSingles() {
		return size(r.free) + " free", nil
	}
	if err := a.shares.DropSingles(ctx); err != nil {
		return "", err
	}
	return r.check().Reason, nil
}
