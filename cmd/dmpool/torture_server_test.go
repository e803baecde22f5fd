//go:build torture

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// victimVariable makes this test binary the process that TestTorture kills.
const victimVariable = "DMPOOL_TORTURE_VICTIM"

// victimConfig is what the victim is told about its world.
type victimConfig struct {
	Dir       string // of the two databases
	URL       string // of the node
	Cookie    string
	FileLimit uint64 // no file may grow beyond this many bytes; 0: no limit
}

func ledgerPath(dir string) string { return filepath.Join(dir, "ledger.db") }
func sharesPath(dir string) string { return filepath.Join(dir, "shares.db") }
func spoolPath(dir string) string  { return sharesPath(dir) + ".spool" }

// TestTortureVictim is not a test: it is the pool, with its real databases and
// its real Stratum server, on the listener that it inherits. It runs until it is
// killed, or stops in order at a SIGTERM.
func TestTortureVictim(t *testing.T) {
	text := os.Getenv(victimVariable)
	if text == "" {
		t.Skip("TestTorture starts it")
	}
	var c victimConfig
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := runVictim(ctx, c); err != nil {
		t.Fatal(err)
	}
}

func runVictim(ctx context.Context, c victimConfig) error {
	if c.FileLimit > 0 {
		// What the kernel refuses beyond the limit looks to SQLite like a full
		// disk; without this the signal would end the process.
		signal.Ignore(syscall.SIGXFSZ)
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: c.FileLimit, Max: c.FileLimit}); err != nil {
			return fmt.Errorf("limit files: %w", err)
		}
	}
	ln, err := net.FileListener(os.NewFile(3, "stratum"))
	if err != nil {
		return fmt.Errorf("inherit listener: %w", err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	books, err := sqlite.Open(ctx, ledgerPath(c.Dir), ledger.Schema)
	if err != nil {
		return err
	}
	shareLog, err := shares.Open(ctx, sharesPath(c.Dir), shares.Options{Logger: log})
	if err != nil {
		return err
	}
	_, script, err := pool.ParseAddress(tortureAddress(0), "regtest")
	if err != nil {
		return err
	}
	client := node.New(node.Config{URL: c.URL, CookieFile: c.Cookie})
	p, err := pool.New(pool.Config{
		Network: "regtest", Maturity: 5, Script: script, Node: client, Source: node.NewSource(client, "", log),
		Shares: shareLog, Ledger: ledger.New(books), Dir: c.Dir, Settings: pool.DefaultSettings("regtest"),
		Listeners: []net.Listener{ln}, Events: &pool.Events{}, Logger: log,
	})
	if err != nil {
		return err
	}
	// Before it stops in order it gives the node what a killed pool owed it.
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	checked := make(chan error, 1)
	context.AfterFunc(ctx, func() {
		checked <- p.CheckBlocks(running)
		end()
	})
	return errors.Join(p.Run(running), <-checked, shareLog.Close(), books.Close())
}

// victim is a running pool.
type victim struct {
	cmd *exec.Cmd
	log *tail
}

// startVictim starts a pool on the shared listener: miners that connect before
// it runs, or while it is dead, wait in the listener's queue.
func startVictim(t *testing.T, c victimConfig, ln *os.File) *victim {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	v := &victim{log: &tail{}}
	v.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTortureVictim$", "-test.timeout=0")
	v.cmd.Env = append(os.Environ(), victimVariable+"="+string(text), "TMPDIR="+c.Dir)
	v.cmd.ExtraFiles = []*os.File{ln}
	v.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	v.cmd.Stdout, v.cmd.Stderr = v.log, v.log
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return v
}

// kill ends the pool without warning. A pool that had ended by itself before is
// a failure.
func (v *victim) kill(t *testing.T) {
	t.Helper()
	if err := v.cmd.Process.Kill(); err != nil {
		t.Fatalf("the pool ended by itself: %v\n%s", err, v.log)
	}
	err := v.cmd.Wait()
	status, ok := v.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the pool ended by itself: %v\n%s", err, v.log)
	}
}

// stacks ends a pool that does not do what it should, and returns what it logged
// and what its goroutines were doing.
func (v *victim) stacks(t *testing.T) string {
	t.Helper()
	if err := v.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	_ = v.cmd.Wait() // it ends with its stacks, by design
	return v.log.String()
}

// stop lets the pool end in order.
func (v *victim) stop(t *testing.T) {
	t.Helper()
	if err := v.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := v.cmd.Wait(); err != nil {
		t.Fatalf("the pool did not stop in order: %v\n%s", err, v.log)
	}
}

// tail keeps the end of what a process prints.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (l *tail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, p...)
	if extra := len(l.text) - 256<<10; extra > 0 {
		l.text = append(l.text[:0], l.text[extra:]...)
	}
	return len(p), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.TrimSpace(string(l.text))
}
