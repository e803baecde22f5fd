package node

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// The tests named TestBitcoind… run against a real bitcoind, $DMPOOL_BITCOIND or the one in $PATH, and are skipped
// without. Each starts its own, without peers, in a temporary folder, and stops it.

// bitcoind is a running node of the test.
type bitcoind struct {
	*Client
	binary string
	args   []string
	zmq    string

	ended chan struct{}
	stop  func()
}

// startBitcoind starts a node on the chain that args select, and waits for it.
func startBitcoind(t *testing.T, chain string, args ...string) *bitcoind {
	t.Helper()

	binary := os.Getenv("DMPOOL_BITCOIND")
	if binary == "" {
		found, err := exec.LookPath("bitcoind")
		if err != nil {
			t.Skip("no bitcoind: set DMPOOL_BITCOIND, see scripts/bitcoind.sh")
		}
		binary = found
	}

	dir, cookie := t.TempDir(), filepath.Join(t.TempDir(), ".cookie")
	rpc, zmq := freePort(t), freePort(t)
	n := &bitcoind{
		Client: New(Config{URL: "http://127.0.0.1:" + rpc, CookieFile: cookie, Wallet: "pool"}),
		binary: binary,
		zmq:    "tcp://127.0.0.1:" + zmq,
		args: append([]string{
			"-chain=" + chain, "-datadir=" + dir, "-rpccookiefile=" + cookie, "-rpcport=" + rpc, "-zmqpubhashblock=tcp://127.0.0.1:" + zmq,
			"-connect=0", "-listen=0", "-dnsseed=0", "-fallbackfee=0", "-nosettings", "-printtoconsole=0",
		}, args...),
	}
	t.Cleanup(n.CloseIdle)
	n.launch(t)
	t.Cleanup(func() { n.stop() })
	n.ready(t)

	return n
}

// launch starts the process.
func (n *bitcoind) launch(t *testing.T) {
	t.Helper()

	ctx, cancel := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, n.binary, n.args...)
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = time.Minute
	if err := command.Start(); err != nil {
		cancel()
		t.Fatal(err)
	}

	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
	n.ended = ended
	n.stop = func() {
		cancel()
		<-ended
	}
}

// ready waits until the node answers. Whatever it says before must be recognised as no information.
func (n *bitcoind) ready(t *testing.T) {
	t.Helper()

	last := ""
	for {
		_, err := n.BlockchainInfo(t.Context())
		if err == nil {
			return
		}
		if !Unavailable(err) {
			t.Fatalf("starting node says %v", err)
		}
		if sentence := Sentence(err); sentence != last {
			t.Log(sentence)
			last = sentence
		}

		select {
		case <-n.ended:
			t.Fatal("bitcoind ended while starting")
		case <-time.After(time.Millisecond):
		}
	}
}

// mine adds count blocks made by package work that pay script, and returns the last one's hash.
func (n *bitcoind) mine(t *testing.T, script []byte, count int) chainhash.Hash {
	t.Helper()

	for range count {
		template, err := n.Template(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		raw := solve(t, template, script)
		if reason, err := n.ProposeBlock(t.Context(), raw); reason != "" || err != nil {
			t.Fatalf("height %d: ProposeBlock() = %q, %v", template.Height, reason, err)
		}
		if result, err := n.SubmitBlock(t.Context(), raw); result != "" || err != nil {
			t.Fatalf("height %d: SubmitBlock() = %q, %v", template.Height, result, err)
		}
	}

	tip, err := n.BestBlockHash(t.Context())
	if err != nil {
		t.Fatal(err)
	}

	return tip
}

func freePort(t *testing.T) string {
	t.Helper()

	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	return fmt.Sprint(listener.Addr().(*net.TCPAddr).Port)
}

// wantCode checks that a call failed with an RPC code out of some.
func wantCode(t *testing.T, call string, err error, codes ...int) {
	t.Helper()

	for _, code := range codes {
		if IsCode(err, code) {
			return
		}
	}
	t.Errorf("%s: %v, want a code of %v", call, err, codes)
}
