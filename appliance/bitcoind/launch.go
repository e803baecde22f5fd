package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"
)

// Launch becomes the node of a network: it is what the node's unit starts. An
// order for a repair is taken out of its file and stands on the command line of
// this one start. It returns only when there is no node, or none is wanted any
// more. [Places.SpeakTo] comes before it.
func (p Places) Launch(network, binary string) error {
	if err := KnownNetwork(network); err != nil {
		return err
	}
	conf := p.Conf(network)
	if f, ok := conf.inherit(context.Background(), binary); !ok {
		return errors.New(f.text)
	}
	if err := conf.dropEmptyKey(); err != nil {
		return err
	}
	args := []string{
		"bitcoind", "-conf=" + conf.Path(), "-datadir=" + conf.Dir, "-printtoconsole=0",
		"-pid=" + filepath.Join(p.run(network), "bitcoind.pid"),
		"-shutdownnotify=systemd-notify --stopping",
	}
	// Whether it serves is asked by RPC. To systemd it is started: a job that lasted
	// until the chain is loaded would hold up the pool's own start, which comes after
	// (so that at the end of the machine the node stops last).
	if _, err := daemon.SdNotify(false, daemon.SdNotifyReady); err != nil {
		return fmt.Errorf("tell systemd: %w", err)
	}
	switch r := readRepair(conf.markFile()); {
	case r == RepairNone:
	case conf.private():
		if done, err := conf.repairNow(binary, r); !done {
			return err
		}
	default:
		// Its order is gone before it begins, else the next start would do it again.
		if f := conf.unmark(); f.class != "" {
			return errors.New(f.text)
		}
		args = append(args, string(r))
	}
	env := append(environment(), "NOTIFY_SOCKET="+os.Getenv("NOTIFY_SOCKET"))
	if err := syscall.Exec(binary, args, env); err != nil {
		return fmt.Errorf("the node's program cannot be started: %w", err)
	}
	return nil
}

// SpeakTo begins a run: what this process, and the node that it becomes, says to its
// standard error goes into a file beside the cookie, and the node's log begins anew,
// the one before being kept under another name. So [Places.Report] finds the reason of
// this end, however early, and not of an earlier one.
func (p Places) SpeakTo(network string) error {
	if err := KnownNetwork(network); err != nil {
		return err
	}
	file, err := os.OpenFile(p.words(network), os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("open file for the node's words: %w", err)
	}
	defer file.Close()
	if err := unix.Dup3(int(file.Fd()), int(os.Stderr.Fd()), 0); err != nil {
		return fmt.Errorf("open file for the node's words: %w", err)
	}
	conf := p.Conf(network)
	if err := os.Rename(conf.debugLog(), conf.oldLog()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("begin a new log: %w", err)
	}
	return nil
}

// repairNow rebuilds a private chain, of which the unit tells as its status, and
// tells whether the node can start.
func (c Conf) repairNow(binary string, r Repair) (done bool, err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	lines := newRing(lastLines, func(line string) { fmt.Fprintln(os.Stderr, line) })
	say := func(status string) { _, _ = daemon.SdNotify(false, "STATUS="+status) }
	failed := c.rebuild(ctx, rebuilding{
		binary: binary, repair: r, log: lines, limit: time.Hour, // systemd is less patient
		begun: func(int) { say(repairing) }, ending: func() { say(stopping) },
	})
	if ctx.Err() != nil {
		return false, nil
	}
	say("")
	if failed.class != "" {
		return false, errors.New(failed.text)
	}
	return true, nil
}
