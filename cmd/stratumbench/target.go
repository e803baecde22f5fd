package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"syscall"
)

// command is what the generator asks of the server process, one line of JSON.
type command struct {
	Do      string // "tip", "tip-full", "memory", "accepted", "profile", "profile-end"
	Profile string `json:",omitempty"`
}

// reply is its answer. The first one, unasked, carries the address.
type reply struct {
	Address    string `json:",omitempty"`
	Began      int64  `json:",omitempty"` // when the tip was known; see now
	InUse      int64  `json:",omitempty"` // bytes of heap and stacks after a collection
	Accepted   int64  `json:",omitempty"` // shares that reached the share log
	ParseNanos int64  `json:",omitempty"` // of that: template to job
	Error      string `json:",omitempty"`
}

// target is a server process under test.
type target struct {
	pid     int
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

func startTarget(ctx context.Context, name string, p plan) (*target, error) {
	dir, err := os.MkdirTemp(p.dir, "stratumbench-")
	if err != nil {
		return nil, err
	}
	args := []string{"-serve", name, "-dir", dir}
	if p.affinity {
		args = append(args, "-core", "0") // it inherits our own core, and would see no other
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe", args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	t := &target{pid: cmd.Process.Pid, cmd: cmd, in: in, out: json.NewDecoder(bufio.NewReader(out))}
	var hello reply
	if err := t.out.Decode(&hello); err != nil {
		return nil, fmt.Errorf("start server: %w", err)
	}
	t.address = hello.Address
	return t, nil
}

// ask sends a command and waits for the answer.
func (t *target) ask(c command) (reply, error) {
	if err := t.send(c); err != nil {
		return reply{}, err
	}
	return t.answer()
}

func (t *target) send(c command) error {
	if err := json.NewEncoder(t.in).Encode(c); err != nil {
		return fmt.Errorf("ask server: %w", err)
	}
	return nil
}

func (t *target) answer() (reply, error) {
	var r reply
	if err := t.out.Decode(&r); err != nil {
		return r, fmt.Errorf("ask server: %w", err)
	}
	if r.Error != "" {
		return r, fmt.Errorf("server: %s", r.Error)
	}
	return r, nil
}

// stop closes the server's input, which ends it.
func (t *target) stop() error {
	_ = t.in.Close()
	return t.cmd.Wait()
}

// served is a server under test, seen from inside its process.
type served interface {
	address() string
	tip(full bool) (began, parsed int64, err error)
	accepted() int64
	close() error
}

// serveTarget is the server process: it obeys its input until that ends.
func serveTarget(ctx context.Context, name string, core int, p plan) error {
	// One core, but two threads for Go: one of them is nearly always inside a
	// commit, waiting for the disk, and the scheduler takes up to 10 ms to notice.
	runtime.GOMAXPROCS(2)
	if core >= 0 {
		if err := pin(core); err != nil {
			return err
		}
	}
	defer func() { _ = os.RemoveAll(p.dir) }() // a directory of its own below the temporary one
	start := map[string]func(context.Context, string) (served, error){"dmpool": servePool, "echo": serveEcho}[name]
	if start == nil {
		return fmt.Errorf("there is no server %q", name)
	}
	s, err := start(ctx, p.dir)
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(reply{Address: s.address()}); err != nil {
		return err
	}
	for in := json.NewDecoder(os.Stdin); ; {
		var c command
		if in.Decode(&c) != nil {
			return s.close()
		}
		if err := out.Encode(obey(s, c)); err != nil {
			return err
		}
	}
}

func obey(s served, c command) (r reply) {
	var err error
	switch c.Do {
	case "tip", "tip-full":
		r.Began, r.ParseNanos, err = s.tip(c.Do == "tip-full")
	case "memory":
		r.InUse = inUse()
	case "accepted":
		r.Accepted = s.accepted()
	case "profile":
		err = startProfile(c.Profile)
	case "profile-end":
		pprof.StopCPUProfile()
	default:
		err = fmt.Errorf("command %q is unknown", c.Do)
	}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

// inUse collects garbage, gives free memory back, and returns the bytes of heap
// and stacks that are left.
func inUse() int64 {
	debug.FreeOSMemory() // collects
	debug.FreeOSMemory() // what finalizers kept the first time
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// startProfile begins a CPU profile; the file stays open until the process ends.
func startProfile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(f)
}
