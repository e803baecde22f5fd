package bitcoind

import (
	"context"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// process is one bitcoind, from its start to its end.
type process struct {
	command *exec.Cmd
	done    chan struct{} // closed once it is gone and all it wrote was taken
}

// start runs the program with its output going to log. It ends when asked to,
// and by itself when this program dies.
func start(program string, args []string, log io.Writer) (*process, error) {
	// The process outlives every context: only stop ends it.
	command := exec.CommandContext(context.Background(), program, args...)
	command.Stdout = log
	command.Stderr = log
	command.WaitDelay = 5 * time.Second
	command.Env = environment()
	command.SysProcAttr = &syscall.SysProcAttr{
		Setpgid:   true, // Ctrl-C in a terminal is for the pool, which stops the node in order
		Pdeathsig: syscall.SIGTERM,
	}

	p := &process{command: command, done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that made the process
		// ends, so that thread has to stay until the process is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()

		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait() // the exit status stays in ProcessState
			close(p.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}

	return p, nil
}

// environment is what the node gets to see of ours: nothing secret, and none of
// the variables by which a service manager talks to the pool.
func environment() []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

func (p *process) pid() int { return p.command.Process.Pid }

// exit tells how it ended; only after done.
func (p *process) exit() *os.ProcessState { return p.command.ProcessState }

// signal does nothing when the process is gone.
func (p *process) signal(s os.Signal) { _ = p.command.Process.Signal(s) }

// ended waits for the end of the process, at most for limit.
func (p *process) ended(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()

	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}
