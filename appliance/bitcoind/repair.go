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
func (c *Child) Repair() error {
	wanted := c.State().Repair
	if wanted == RepairNone {
		return ErrNothingToRepair
	}
	c.order(wanted)
	c.Restart()
	return nil
}

// order makes the next start a repair.
func (c *Child) order(r Repair) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ordered = r
}

// takeOrder returns what the next start has to repair, and forgets it.
func (c *Child) takeOrder() Repair {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.ordered
	c.ordered = RepairNone
	return r
}

// mend looks whether a failure can be repaired. With the leave of Mend the next
// start does it; else State says that a person has to decide.
func (c *Child) mend(ctx context.Context, failed failure) (_ failure, repairing bool) {
	r := c.config.Conf.repairOf(failed.class)
	if r == RepairNone {
		return failed, false
	}
	failed.repair = r
	if c.config.Mend == nil {
		return failed, false
	}
	if err := c.config.Mend(ctx, failed.class, r); err != nil {
		failed.text += ", and " + err.Error()
		return failed, false
	}
	c.order(r)
	failed.text += ". " + c.config.Conf.begun(r) + "."
	return failed, true
}

// prepare returns the command line of the next start. A repair that is due comes
// first on a private chain, where nobody may see it half done; a public node
// does it as part of its start, and tells how far it is.
func (c *Child) prepare(ctx context.Context, binary string) (args []string, failed failure) {
	args = c.config.Conf.args()
	r := c.takeOrder()
	if !c.config.Conf.private() {
		if r != RepairNone {
			args = append(args, string(r))
		}
		return args, failure{}
	}
	if r == RepairNone {
		r = c.unfinished()
	}
	if r != RepairNone {
		failed = c.rebuild(ctx, binary, r)
	}
	return args, failed
}

// markFile holds the repair of a private chain that is not finished.
func (c Conf) markFile() string { return filepath.Join(c.Dir, "repair") }

// unfinished returns the repair that an earlier process has begun.
func (c *Child) unfinished() Repair {
	text, err := os.ReadFile(c.config.Conf.markFile())
	if err != nil {
		return RepairNone
	}
	switch r := Repair(strings.TrimSpace(string(text))); r {
	case RepairCoins, RepairBlocks:
		return r
	}
	return RepairNone
}

// rebuild repairs a private chain, and returns when that is done. Meanwhile the
// node has no RPC: it would show a chain that is shorter than it was, nobody else
// has the rest, and mining would fork it. A rebuild that is cut short begins anew
// at the next start.
func (c *Child) rebuild(ctx context.Context, binary string, r Repair) failure {
	mark := c.config.Conf.markFile()
	if err := os.WriteFile(mark, []byte(r), 0o600); err != nil {
		return failure{class: ClassDirectory, text: fmt.Sprintf("The repair cannot begin: %v", err)}
	}
	args := append(c.config.Conf.args(), string(r), "-stopafterblockimport", "-server=0")
	line := c.log.mark()
	p, err := start(binary, args, c.log)
	if err != nil {
		return failure{class: ClassBinary, text: fmt.Sprintf("The node's program cannot be started: %v", err)}
	}
	c.board.update(func(s *State) {
		*s = State{Phase: PhaseWarming, Text: "The node repairs its chain: it reads all its blocks again.", PID: p.pid(), Restarts: s.Restarts}
	})
	c.config.Logger.Info("Node repair started", "pid", p.pid(), "flag", string(r))
	select {
	case <-p.done:
	case <-ctx.Done():
		c.live(PhaseStopping, "The node is stopping: it writes its state to disk.")
		p.signal(syscall.SIGTERM)
		if !p.ended(c.config.StopLimit) {
			p.signal(syscall.SIGKILL)
		}
		<-p.done
		return failure{}
	}
	c.log.flush()
	c.config.Logger.Info("Node repair ended", "status", p.exit().String())
	if p.exit().Success() {
		return c.unmark()
	}
	failed := classify(p.exit(), c.log.since(line), c.config.Conf.Dir)
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
func (c *Child) unmark() failure {
	if err := os.Remove(c.config.Conf.markFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure{class: ClassDirectory, text: fmt.Sprintf("The end of the repair cannot be noted: %v", err)}
	}
	return failure{}
}
