//go:build e2e

package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/ledger"
)

// demoProcess is a running `dmpool demo`, or another daemon of ours.
type demoProcess struct {
	t        *testing.T
	cmd      *exec.Cmd
	box      string
	url      string // of its pages, as its own machine calls them
	away     string // and as others on the home network do
	stratum  string
	password string
	ended    chan error
	gone     chan struct{} // closed when it has ended
	stderr   *lockedBuffer

	mu    sync.Mutex
	lines []string
	grown chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startDemo(t *testing.T, program, box, bitcoind string) *demoProcess {
	t.Helper()
	d := start(t, program, box, "demo", "--data-dir", box, "--bitcoind", bitcoind, "--http", ":0", "--stratum", "127.0.0.1:0")
	d.url = d.find(regexp.MustCompile(`Pages +(http://localhost:\d+)`))
	d.away = d.find(regexp.MustCompile(`from another device: (http://[^)]+)`))
	d.password = d.find(regexp.MustCompile(`Password +(\S+)`))
	d.stratum = d.find(regexp.MustCompile(`Stratum +(stratum\+tcp://\S+)`))
	// The demo prints the address for the home network; miners are on loopback here.
	d.stratum = regexp.MustCompile(`//.*:`).ReplaceAllString(d.stratum, "//127.0.0.1:")
	return d
}

// start starts the program and reads along.
func start(t *testing.T, program, box string, args ...string) *demoProcess {
	t.Helper()
	d := &demoProcess{t: t, box: box, ended: make(chan error, 1), gone: make(chan struct{}), grown: make(chan struct{}), stderr: &lockedBuffer{}}
	d.cmd = exec.CommandContext(t.Context(), program, args...)
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(os.Interrupt) }
	d.cmd.WaitDelay = time.Minute
	d.cmd.Stderr = d.stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.read(out)
		d.ended <- d.cmd.Wait()
		close(d.gone)
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("it printed:\n%s\nand logged:\n%s", strings.Join(d.printed(), "\n"), d.stderr)
		}
		// Its node still writes into the folder that is removed next. The end of the
		// test's context has interrupted it; a second time would end it at once, and
		// leave the node to itself.
		select {
		case <-d.gone:
		case <-time.After(time.Minute):
			t.Error("the program did not end within a minute")
		}
	})
	return d
}

func (d *demoProcess) read(out io.Reader) {
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		d.mu.Lock()
		d.lines = append(d.lines, scanner.Text())
		close(d.grown)
		d.grown = make(chan struct{})
		d.mu.Unlock()
	}
}

func (d *demoProcess) printed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.lines...)
}

// line waits for a printed line that match accepts.
func (d *demoProcess) line(what string, limit time.Duration, match func(string) bool) string {
	d.t.Helper()
	deadline := time.After(limit)
	for {
		d.mu.Lock()
		lines, grown := d.lines, d.grown
		d.mu.Unlock()
		for _, l := range lines {
			if match(l) {
				return l
			}
		}
		select {
		case <-grown:
		case err := <-d.ended:
			d.t.Fatalf("the demo ended before %s: %v", what, err)
		case <-deadline:
			d.t.Fatalf("no %s within %v", what, limit)
		}
	}
}

func (d *demoProcess) await(step string, limit time.Duration) string {
	d.t.Helper()
	line := d.line("STEP "+step, limit, func(l string) bool { return strings.HasPrefix(l, "STEP "+step+" ") })
	d.t.Log(line)
	return line
}

func (d *demoProcess) find(re *regexp.Regexp) string {
	d.t.Helper()
	line := d.line(re.String(), 30*time.Second, re.MatchString)
	return re.FindStringSubmatch(line)[1]
}

func field(line, name string) string {
	_, rest, _ := strings.Cut(line, " "+name+"=")
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// kill ends the daemon as a power cut would.
func (d *demoProcess) kill() {
	d.t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	if err := <-d.ended; err == nil {
		d.t.Error("the killed demo ended as if it had been asked to")
	}
}

// killNode ends bitcoind as a power cut would.
func (d *demoProcess) killNode() {
	d.t.Helper()
	killed := 0
	for task := range strings.FieldsSeq(childrenOf(d.t, d.cmd.Process.Pid)) {
		var pid int
		if _, err := fmt.Sscan(task, &pid); err != nil {
			d.t.Fatal(err)
		}
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		d.t.Fatal("the daemon has no bitcoind to kill")
	}
}

// childrenOf lists the children of every thread of a process.
func childrenOf(t *testing.T, pid int) string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// awaitNewBlock waits until the ledger has an accepted block that is higher
// than all it has now.
func (d *demoProcess) awaitNewBlock(t *testing.T) {
	t.Helper()
	books := openBooks(t, d.box)
	newest := func() int32 {
		blocks, err := books.Blocks(t.Context(), 5, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if b.State == ledger.StateAccepted {
				return b.Height
			}
		}
		return 0
	}
	before := newest()
	for range 240 {
		if newest() > before {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatalf("no block above %d after the node was killed", before)
}

// stop ends the demo with Ctrl-C and checks that it takes the node along.
func (d *demoProcess) stop(t *testing.T) {
	t.Helper()
	children := strings.Fields(childrenOf(t, d.cmd.Process.Pid))
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.ended:
		if err != nil {
			t.Errorf("Ctrl-C: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("Ctrl-C did not end the demo within 30 s")
	}
	for _, pid := range children {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("process %s outlived the demo", pid)
		}
	}
}

// mineAs runs the CPU miner until the test ends.
func mineAs(t *testing.T, program, url, user string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, "miner", "-o", url, "-u", user, "-t", "1", "--max-hashrate", "1000000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
}
