package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"syscall"
	"time"
)

// command is what the generator asks of the server process, one line of JSON.
type command struct {
	Do      string // "tip", "signal", "memory", "accepted", "profile", "profile-end"
	Profile string `json:",omitempty"`
}

// reply is its answer. The first one, unasked, carries the address.
type reply struct {
	Address  string        `json:",omitempty"`
	Began    int64         `json:",omitempty"` // when an echo server began with the tip; see now
	Signal   string        `json:",omitempty"` // which watcher of the node saw the last tip first
	Seen     int64         `json:",omitempty"` // when; see now
	Template time.Duration `json:",omitempty"` // from there until the template was read
	InUse    int64         `json:",omitempty"` // bytes of heap and stacks after a collection
	Accepted int64         `json:",omitempty"` // shares that reached the share log
	Error    string        `json:",omitempty"`
}

// target is a server process under test.
type target struct {
	pid     int
	address string
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *json.Decoder
}

// startTarget starts a server by its name, with more arguments for its process.
func startTarget(ctx context.Context, name string, p plan, more ...string) (*target, error) {
	dir, err := os.MkdirTemp(p.dir, "stratumbench-")
	if err != nil {
		return nil, err
	}
	args := append([]string{"-serve", name, "-dir", dir}, more...)
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
	var r reply
	if err := json.NewEncoder(t.in).Encode(c); err != nil {
		return r, fmt.Errorf("ask server: %w", err)
	}
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
	obey(c command) (reply, error) // what only this server can do; else errUnknown
	close() error
}

var errUnknown = errors.New("command is unknown")

// serveOptions are what a server process is told on its command line.
type serveOptions struct {
	dir  string // for its databases, removed at the end
	core int    // to be pinned to; -1: none

	nodeURL, nodeCookie, nodeZMQ string // of the whole pool
}

// starters are the servers that can be measured.
func starters() map[string]func(context.Context, serveOptions) (served, error) {
	return map[string]func(context.Context, serveOptions) (served, error){
		"echo":   serveEcho,   // reads lines and writes
		"dmpool": serveShares, // the path of a share
		"pool":   servePool,   // all of it, on a node
	}
}

// serveTarget is the server process: it obeys its input until that ends.
func serveTarget(ctx context.Context, name string, o serveOptions) error {
	// One core, but two threads for Go: one of them is nearly always inside a
	// commit, waiting for the disk, and the scheduler takes up to 10 ms to notice.
	runtime.GOMAXPROCS(2)
	if o.core >= 0 {
		if err := pin(o.core); err != nil {
			return err
		}
	}
	defer func() { _ = os.RemoveAll(o.dir) }() // a directory of its own below the temporary one
	start := starters()[name]
	if start == nil {
		return fmt.Errorf("there is no server %q", name)
	}
	s, err := start(ctx, o)
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
	case "memory":
		r.InUse = inUse()
	case "profile":
		err = startProfile(c.Profile)
	case "profile-end":
		pprof.StopCPUProfile()
	default:
		r, err = s.obey(c)
	}
	if err != nil {
		r.Error = fmt.Sprintf("%s: %v", c.Do, err)
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
