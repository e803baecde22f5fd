package drill

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// Limit is how long a drill may take.
	Limit = 10 * time.Minute
	// leave is what a drill gets to end in order: its node writes its chain.
	leave = 30 * time.Second
)

// Command is how `dmpool drill` is called.
type Command struct {
	Program  string // dmpool itself
	DataDir  string
	Bitcoind string
	Progress func() // called after each step; nil: nobody asks
}

// Start runs a drill as a process of its own and returns when that has ended: with
// nil when it left a report, whatever stands in it, and else with what it said. At the
// end of ctx the drill is stopped, and clears up after itself.
func Start(ctx context.Context, c Command) error {
	ctx, cancel := context.WithTimeout(ctx, Limit+leave)
	defer cancel()
	command := exec.CommandContext(ctx, c.Program, "drill", "--data-dir", c.DataDir, "--bitcoind", c.Bitcoind)
	// Nothing of the pool's own: not the secrets of the service, and not the way to talk
	// to systemd, to which the drill would look like a pool that stops.
	command.Env = environment()
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = leave
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	var said bytes.Buffer
	command.Stderr = &said
	out, err := command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start drill: %w", err)
	}

	ended := make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that made the process ends, so that
		// thread stays until the process is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := command.Start(); err != nil {
			ended <- fmt.Errorf("start drill: %w", err)
			return
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if c.Progress != nil {
				c.Progress()
			}
		}
		ended <- command.Wait()
	}()
	err = <-ended
	if _, exited := errors.AsType[*exec.ExitError](err); exited {
		// Of a report that says so the process exits with 1, too: then it has said nothing.
		err = nil
		if words := strings.TrimSpace(said.String()); words != "" {
			err = errors.New(strings.TrimPrefix(words, "dmpool: "))
		}
	}
	return err
}

func environment() (env []string) {
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
