package appliance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// Warning is something about the machine that a person should mend before it
// does harm.
type Warning struct {
	Text string // what it is, a sentence
	Next string // what to do, a sentence
}

const (
	// ballastSize is what the ballast holds back for the databases.
	ballastSize = 256 << 20
	// ballastLetGo is the free space at which it is given up, the last step of all:
	// the node has been stopped long before ([bitcoind.LimitsOf]), single shares are
	// not kept any more, and new payouts have ended ([payoutRoom]). What it gives back
	// is for what cannot be put off, and must not set these in motion again; so
	// [room] does not count it.
	ballastLetGo = 100_000_000
	// roomEvery is how often the free space is looked at for the ballast.
	roomEvery = 10 * time.Second
)

// keepRoom keeps the ballast until ctx ends: a file that takes room which the
// databases get when nothing else is left. A private chain, for which no disk is
// too small, has none.
func (a *Appliance) keepRoom(ctx context.Context) error {
	if a.privateChain() {
		<-ctx.Done()
		return ctx.Err()
	}
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		if m, err := bitcoind.Survey(a.dir.of(a.network)); err == nil {
			a.trimBallast(m)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// trimBallast gives the ballast up, or lays it in, as the free space says.
func (a *Appliance) trimBallast(m bitcoind.Machine) {
	path := a.dir.ballast(a.network)
	_, err := os.Stat(path)
	there := err == nil
	switch {
	case there && m.DiskFree < ballastLetGo:
		err := os.Remove(path)
		a.log.Error("Disk nearly full: ballast given up for the databases", "free", m.DiskFree, "err", err)
	case errors.Is(err, fs.ErrNotExist) && m.DiskFree >= bitcoind.LimitsOf(a.network, m.DiskTotal).Alarm+ballastSize:
		if err := layBallast(path); err != nil {
			a.log.Warn("Ballast not laid in", "err", err)
		}
	}
}

// layBallast makes a file that really takes its size.
func layBallast(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("make ballast: %w", err)
	}
	err = errors.Join(unix.Fallocate(int(f.Fd()), 0, 0, ballastSize), f.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("fill ballast: %w", err), os.Remove(path))
	}
	return nil
}

// roomWarning tells of a disk that fills up under the node.
func roomWarning(network, dir string, m bitcoind.Machine) (Warning, bool) {
	limits := bitcoind.LimitsOf(network, m.DiskTotal)
	const mb = 1_000_000
	switch free := m.DiskFree; {
	case free >= limits.Warn:
		return Warning{}, false
	case free < limits.Alarm:
		return Warning{
			fmt.Sprintf("The disk that holds %s is nearly full: %d MB are free, and the node is stopped below %d MB.", dir, free/mb, limits.Stop/mb),
			"Make room now: delete or move other files, or use a larger disk.",
		}, true
	default:
		return Warning{
			fmt.Sprintf("The disk that holds %s fills up: %d MB are free.", dir, free/mb),
			"Make room soon: delete or move other files, or use a larger disk.",
		}, true
	}
}

// tipAgeLimit is the age from which on the newest block is a reason to look at the
// node: of the blocks of a chain one in eight thousand takes so long.
const tipAgeLimit = 90 * time.Minute

// tipWarning tells of a node that has heard of no block for long.
func tipWarning(now, tip time.Time) (Warning, bool) {
	age := now.Sub(tip)
	return Warning{
		fmt.Sprintf("The newest block that the node knows is %d minutes old; one comes every 10 minutes on average.", int(age.Minutes())),
		"Look at the Internet connection of this box and at the peers of the node. By chance alone it happens about once in two months.",
	}, age > tipAgeLimit
}

const (
	// clockApart is how far the clock may be from those of the node's peers.
	clockApart = time.Minute
	// clockBehind is how far ahead of the clock no block can be (consensus).
	clockBehind = 2 * time.Hour
)

// clockWarning tells of a clock that is wrong: by the peers' clocks, where there
// are enough, and by the time of the newest block, which is not from the future.
func clockWarning(now, tip time.Time, peers time.Duration) (Warning, bool) {
	const next = "Set the clock of this machine, best by NTP: a wrong one makes blocks that others refuse, and the node may not start again."
	switch {
	case tip.Sub(now) > clockBehind:
		return Warning{fmt.Sprintf("The newest block is %s ahead of this machine's clock, so the clock is wrong.", tip.Sub(now).Round(time.Minute)), next}, true
	case peers.Abs() > clockApart:
		way := "behind"
		if peers < 0 {
			way = "ahead of"
		}
		return Warning{fmt.Sprintf("This machine's clock is %s %s those of the other nodes.", peers.Abs(), way), next}, true
	}
	return Warning{}, false
}
