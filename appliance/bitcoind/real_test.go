package bitcoind

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// realBitcoind returns a bitcoind to test with, or skips the test.
func realBitcoind(t *testing.T) string {
	t.Helper()
	path, err := Find("")
	if errors.Is(err, ErrNotFound) {
		t.Skip("no bitcoind; scripts/bitcoind.sh finds or fetches one for DMPOOL_BITCOIND")
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// rpc is what these tests need of the node's RPC.
func rpc(ctx context.Context, conf Conf, method string, result any, params ...any) error {
	cookie, err := os.ReadFile(conf.CookieFile())
	if err != nil {
		return err
	}
	user, password, _ := strings.Cut(string(cookie), ":")
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": append([]any{}, params...)})
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, conf.RPCURL(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Close = true // no idle connection outlives a test
	request.SetBasicAuth(user, password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()

	var answer struct {
		Result json.RawMessage
		Error  *struct {
			Code    int
			Message string
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return err
	}
	if e := answer.Error; e != nil && e.Code == -28 {
		return fmt.Errorf("%w: %s", errWarmup, e.Message)
	} else if e != nil {
		return fmt.Errorf("%s: %s (%d)", method, e.Message, e.Code)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(answer.Result, result)
}

func realConfig(binary string, conf Conf) ChildConfig {
	return ChildConfig{
		Binary: binary,
		Care: Care{
			Conf:       conf,
			Probe:      func(ctx context.Context) error { return rpc(ctx, conf, "getblockcount", nil) },
			Warmup:     fake{}.warmup,
			Logger:     slog.New(slog.DiscardHandler),
			ProbeEvery: 20 * time.Millisecond,
			WatchEvery: 20 * time.Millisecond,
			RetryMin:   20 * time.Millisecond,
		},
		Stop: func(ctx context.Context) error { return rpc(ctx, conf, "stop", nil) },
	}
}

func newReal(t *testing.T, network string, peers bool) (Conf, *Child) {
	t.Helper()
	binary := realBitcoind(t)
	ports, err := FreePorts(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	conf := Conf{
		Network: network,
		Dir:     filepath.Join(t.TempDir(), "a node # of ours", DataDirName(network)),
		RPCPort: ports[0],
		ZMQPort: ports[1],
		Offline: true,
	}
	if peers {
		conf.P2PPort = ports[2]
	}
	return conf, NewChild(realConfig(binary, conf))
}

// Every line of the configuration has to mean to the node what it means to us:
// nothing unknown but what is known to be, nothing refused, nothing open.
func TestRealNodeTakesTheConfiguration(t *testing.T) {
	for _, network := range []string{NetworkPractice, NetworkRegtest, NetworkSignet, NetworkTestnet4, NetworkMain} {
		for _, peers := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s peers=%t", network, peers), func(t *testing.T) {
				conf, child := newReal(t, network, peers)
				stop := running(t, child)
				untilPhase(t, child, PhaseReady)

				var chain struct{ Chain string }
				if err := rpc(t.Context(), conf, "getblockchaininfo", &chain); err != nil {
					t.Fatal(err)
				}
				if chain.Chain != conf.chain() {
					t.Errorf("chain = %s, want %s", chain.Chain, conf.chain())
				}
				if err := rpc(t.Context(), conf, "createwallet", nil, "pool", false, false, "secret", false, true); err != nil {
					t.Fatal(err)
				}
				var address string
				if err := rpc(t.Context(), conf, "getnewaddress", &address); err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(address, "tb1q") && !strings.HasPrefix(address, "bcrt1q") && !strings.HasPrefix(address, "bc1q") {
					t.Errorf("getnewaddress = %s, want bech32", address)
				}
				var zmq []struct{ Type, Address string }
				if err := rpc(t.Context(), conf, "getzmqnotifications", &zmq); err != nil {
					t.Fatal(err)
				}
				if len(zmq) != 1 || zmq[0].Type != "pubhashblock" || zmq[0].Address != conf.ZMQ() {
					t.Errorf("getzmqnotifications = %+v, want hashblock at %s", zmq, conf.ZMQ())
				}
				stop()

				log := child.Log()
				if network == NetworkPractice {
					want := "Signet derived magic (message start): " + strings.TrimPrefix(filepath.Base(conf.Dir), "practice-")
					if !slices.ContainsFunc(log, func(line string) bool { return strings.HasSuffix(line, want) }) {
						t.Errorf("the log does not say %q", want)
					}
				}
				for _, line := range log {
					if strings.Contains(line, "unknown configuration value") && !strings.HasSuffix(line, ".blockmaxsize") {
						t.Error(line)
					}
				}
				for _, name := range []string{"debug.log", "settings.json"} {
					if _, err := os.Stat(filepath.Join(conf.chainDir(), name)); err == nil {
						t.Errorf("the node wrote %s, want none", name)
					}
				}
			})
		}
	}
}

func TestRealNodeComesBackAfterKill(t *testing.T) {
	_, child := newReal(t, NetworkPractice, false)
	defer running(t, child)()

	first := untilPhase(t, child, PhaseReady)
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s := until(t, child, "failed", func(s State) bool { return s.Restarts == 1 })
	if s.Phase == PhaseFailed && s.Class != ClassKilled {
		t.Errorf("Class = %q, want %q", s.Class, ClassKilled)
	}
	until(t, child, "ready again", func(s State) bool { return s.Phase == PhaseReady && s.PID != first.PID })
}

// The node gets SIGTERM when its daemon is killed. That it has written its state
// then shows in the blocks, which a killed node forgets.
func TestRealNodeEndsWithItsDaemonAndKeepsItsBlocks(t *testing.T) {
	conf, child := newReal(t, NetworkRegtest, false)
	if err := os.MkdirAll(conf.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	daemon, node, port := startDaemon(t, realBitcoind(t), conf.Dir)
	if !alive(node) {
		t.Fatalf("process %d is not there", node)
	}
	first := conf
	first.RPCPort = port
	if err := rpc(t.Context(), first, "generatetodescriptor", nil, 7, anyone); err != nil {
		t.Fatal(err)
	}
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = daemon.Wait()

	defer running(t, child)()
	if s := untilPhase(t, child, PhaseReady); s.PID == node || s.Restarts != 0 {
		t.Errorf("State = %+v, want a new process at the first try", s)
	}
	var height int
	if err := rpc(t.Context(), conf, "getblockcount", &height); err != nil || height != 7 {
		t.Errorf("height = %d (%v), want the 7 blocks that the first node made", height, err)
	}
	if holder, pid, err := lockHolder(conf.lockFile()); err != nil || pid != child.State().PID {
		t.Errorf("lock is held by %q (%v), want our node alone", holder, err)
	}
}

func TestVersionOfRealNode(t *testing.T) {
	version, err := Version(t.Context(), realBitcoind(t))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(version, "Bitcoin ") {
		t.Errorf("Version = %q, want a Bitcoin node", version)
	}
}
