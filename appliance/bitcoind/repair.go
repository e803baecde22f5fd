package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Repair is how a node mends its databases: it builds them anew. Each is a flag
// of one single start; in bitcoin.conf it would wipe the chain at every start.
type Repair string

// The repairs.
const (
	RepairNone   Repair = ""                    // nothing is damaged, or nothing that this would mend
	RepairCoins  Repair = "-reindex-chainstate" // the coins, from the blocks that are here
	RepairBlocks Repair = "-reindex"            // all of it, from the block files; a pruned node downloads the chain again
)

// ErrNothingToRepair says that no damage is known that a repair would mend.
var ErrNothingToRepair = errors.New("the node has nothing to repair")

// repairOf returns what mends a class of failure. Only the two kinds of damage
// have a repair: a wrong clock or a full disk is not mended by building anew.
// A pruned node lacks the blocks that the coins follow from.
func (c Conf) repairOf(class Class) Repair {
	switch {
	case class == ClassBlocks, class == ClassChainstate && c.PruneMiB > 0:
		return RepairBlocks
	case class == ClassChainstate:
		return RepairCoins
	}
	return RepairNone
}

// begun says what a repair does, as the end of a sentence about the damage.
func (c Conf) begun(r Repair) string {
	switch {
	case c.PruneMiB > 0:
		return "The node downloads the chain again, because it keeps only the newest blocks"
	case r == RepairCoins:
		return "It is built anew from the blocks on this disk"
	}
	return "They are read again from the start"
}

// Repair has the node mend the damage that its State tells of, at once: somebody
// has decided that.
func (s *supervisor) Repair() error {
	wanted := s.State().Repair
	if wanted == RepairNone {
		return ErrNothingToRepair
	}
	s.order(wanted)
	s.Restart()
	return nil
}

// order makes the next start a repair.
func (s *supervisor) order(r Repair) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ordered = r
}

// takeOrder returns what the next start has to repair, and forgets it.
func (s *supervisor) takeOrder() Repair {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.ordered
	s.ordered = RepairNone
	return r
}

// mend looks whether a failure can be repaired. With the leave of Mend the next
// start does it; else State says that a person has to decide.
func (s *supervisor) mend(ctx context.Context, failed failure) (_ failure, repairing bool) {
	r := s.care.Conf.repairOf(failed.class)
	if r == RepairNone {
		return failed, false
	}
	failed.repair = r
	if s.care.Mend == nil {
		return failed, false
	}
	if err := s.care.Mend(ctx, failed.class, r); err != nil {
		failed.text += ", and " + err.Error()
		return failed, false
	}
	s.order(r)
	failed.text += ". " + s.care.Conf.begun(r) + "."
	return failed, true
}

// arguments returns the command line of the next start. A repair that is due comes
// first on a private chain, where nobody may see it half done; a public node
// does it as part of its start, and tells how far it is.
func (c *Child) arguments(ctx context.Context, binary string) (args []string, failed failure) {
	conf := c.config.Conf
	args = append(conf.args(), "-printtoconsole=1")
	r := c.takeOrder()
	if !conf.private() {
		if r != RepairNone {
			args = append(args, string(r))
		}
		return args, failure{}
	}
	if r == RepairNone {
		r = readRepair(conf.markFile())
	}
	if r == RepairNone {
		return args, failure{}
	}
	c.config.Logger.Info("Node repair started", "flag", string(r))
	failed = conf.rebuild(ctx, rebuilding{binary: binary, repair: r, log: c.log, limit: c.config.StopLimit, begun: func(pid int) {
		c.board.update(func(s *State) { *s = State{Phase: PhaseWarming, Text: repairing, PID: pid, Restarts: s.Restarts} })
	}, ending: func() { c.live(PhaseStopping, stopping) }})
	c.config.Logger.Info("Node repair ended", "class", failed.class)
	return args, failed
}

// repairing is what a private chain does while nobody may see it.
const repairing = "The node repairs its chain: it reads all its blocks again."

// markFile holds the repair of a private chain that is not finished.
func (c Conf) markFile() string { return filepath.Join(c.Dir, "repair") }

// readRepair returns the repair that stands in a file, none when there is no file
// or anything else in it.
func readRepair(file string) Repair {
	text, err := os.ReadFile(file)
	if err != nil {
		return RepairNone
	}
	switch r := Repair(strings.TrimSpace(string(text))); r {
	case RepairCoins, RepairBlocks:
		return r
	}
	return RepairNone
}

// rebuilding is what the repair of a private chain needs to know.
type rebuilding struct {
	binary string
	repair Repair
	log    *ring
	limit  time.Duration // from SIGTERM to SIGKILL
	begun  func(pid int)
	ending func() // when it is cut short
}

// rebuild repairs a private chain, and returns when that is done. Meanwhile the
// node has no RPC: it would show a chain that is shorter than it was, nobody else
// has the rest, and mining would fork it. A rebuild that is cut short begins anew
// at the next start.
func (c Conf) rebuild(ctx context.Context, b rebuilding) failure {
	if err := os.WriteFile(c.markFile(), []byte(b.repair), 0o600); err != nil {
		return failure{class: ClassDirectory, text: fmt.Sprintf("The repair cannot begin: %v", err)}
	}
	args := append(c.args(), "-printtoconsole=1", string(b.repair), "-stopafterblockimport", "-server=0")
	line := b.log.mark()
	p, err := start(b.binary, args, b.log)
	if err != nil {
		return failure{class: ClassBinary, text: fmt.Sprintf("The node's program cannot be started: %v", err)}
	}
	b.begun(p.pid())
	select {
	case <-p.done:
	case <-ctx.Done():
		b.ending()
		p.signal(syscall.SIGTERM)
		if !p.ended(b.limit) {
			p.signal(syscall.SIGKILL)
		}
		<-p.done
		return failure{}
	}
	b.log.flush()
	if p.exit().Success() {
		return c.unmark()
	}
	failed := classify(endingOf(p.exit()), b.log.since(line), c.Dir)
	switch failed.class {
	case ClassLock, ClassPort, ClassDisk, ClassKilled:
		return failed // not the repair's fault: it begins anew
	}
	if undo := c.unmark(); undo.class != "" {
		return undo
	}
	return failed
}

// unmark forgets the repair that has ended.
func (c Conf) unmark() failure {
	if err := os.Remove(c.markFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure{class: ClassDirectory, text: fmt.Sprintf("The end of the repair cannot be noted: %v", err)}
	}
	return failure{}
}
