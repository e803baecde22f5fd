package appliance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// TestExternalNodeWholeBox mines on a real node that somebody else runs, books the
// reward, lives through its absence, and leaves it running and as it was.
func TestExternalNodeWholeBox(t *testing.T) {
	t.Parallel()
	other := newStranger(t)
	stop := other.start()
	dir := filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	settings, err := os.ReadFile(other.conf.Path())
	if err != nil {
		t.Fatal(err)
	}

	b := launchWith(t, Config{DataDir: dir, External: ExternalNode{URL: other.conf.RPCURL(), CookieFile: other.conf.CookieFile()}})
	b.eventually("the box is healthy", func() bool { return b.box.Health(context.Background()).Status == Healthy })
	b.mine()
	b.eventually("a block is booked", func() bool { return b.sums().Immature > 0 })
	s := b.box.Node(t.Context())
	if s.Address != other.conf.RPCURL() || s.PID != 0 || len(s.Abilities) == 0 || lacking(s.Abilities) != "" {
		t.Errorf("the node is shown as %+v", s)
	}

	stop()
	b.eventually("the box sees that the node is gone", func() bool {
		c := b.box.checkNodeHealth(b.box.Node(context.Background()), Check{})
		return c.Status == Down && strings.Contains(c.NextStep, "the box does not run it")
	})
	stop = other.start()
	height := b.box.Pool().Status().Height
	b.eventually("mining goes on with the node", func() bool { return b.box.Pool().Status().Height > height+3 })
	b.rest()
	b.check()
	b.stop()

	if _, err := other.client.BlockchainInfo(t.Context()); err != nil {
		t.Errorf("the node does not run any more: %v", err)
	}
	if now, err := os.ReadFile(other.conf.Path()); err != nil || string(now) != string(settings) {
		t.Errorf("the node's settings are not what they were: %v", err)
	}
	stop()
}

// stranger is somebody who runs a node beside the box.
type stranger struct {
	t      *testing.T
	binary string
	conf   bitcoind.Conf
	client *node.Client
}

func newStranger(t *testing.T) *stranger {
	t.Helper()
	binary := realNode(t)
	ports, err := bitcoind.FreePorts(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	conf := bitcoind.Conf{Network: bitcoind.NetworkRegtest, Dir: t.TempDir(), RPCPort: ports[0], ZMQPort: ports[1]}
	client := node.New(node.Config{URL: conf.RPCURL(), CookieFile: conf.CookieFile()})
	t.Cleanup(client.CloseIdle)
	return &stranger{t, binary, conf, client}
}

// start runs the node until stop is called, or the test ends.
func (s *stranger) start() (stop func()) {
	s.t.Helper()
	probe := func(ctx context.Context) error {
		_, err := s.client.BlockchainInfo(ctx)
		return err
	}
	child := bitcoind.NewChild(bitcoind.ChildConfig{
		Care:   bitcoind.Care{Conf: s.conf, Probe: probe, Logger: slog.New(slog.DiscardHandler)},
		Binary: s.binary, Stop: s.client.Stop,
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- child.Run(ctx) }()
	stop = func() {
		if ctx.Err() != nil {
			return
		}
		cancel()
		if err := <-ended; err != nil {
			s.t.Error(err)
		}
	}
	s.t.Cleanup(stop)
	for child.State().Phase != bitcoind.PhaseReady {
		changed := child.Changed()
		if child.State().Phase == bitcoind.PhaseReady {
			break
		}
		select {
		case <-changed:
		case <-time.After(time.Minute):
			s.t.Fatalf("the other node does not start: %+v", child.State())
		}
	}
	return stop
}

// TestExternalNodeFaults asks a node that does not do what it should; each fault
// becomes a sentence that tells its owner where to look.
func TestExternalNodeFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault func(t *testing.T, f *nodetest.Node, n *ExternalNode)
		want  string
	}{
		{"gone", func(_ *testing.T, f *nodetest.Node, n *ExternalNode) { asUser(t, f, n); f.Stop() }, "does not answer. The box keeps asking"},
		{"not started", func(_ *testing.T, f *nodetest.Node, _ *ExternalNode) { f.Stop() }, "There is no cookie in "},
		{"still starting", func(_ *testing.T, f *nodetest.Node, _ *ExternalNode) { f.Start("Verifying blocks…") }, "Verifying blocks…"},
		{"401 cookie of another node", func(t *testing.T, _ *nodetest.Node, n *ExternalNode) {
			n.CookieFile = fileWith(t, "__cookie__:of another node")
		}, "is it another node's?"},
		{"401 wrong password", func(t *testing.T, f *nodetest.Node, n *ExternalNode) {
			asUser(t, f, n)
			n.PasswordFile = fileWith(t, "wrong")
		}, "does not accept the user __cookie__ with the password in "},
		{"403", func(_ *testing.T, f *nodetest.Node, _ *ExternalNode) { f.Break(403, "") }, "rpcwhitelist or rpcallowip forbid it"},
		{"503", func(_ *testing.T, f *nodetest.Node, _ *ExternalNode) { f.Break(503, "Work queue depth exceeded") }, "does not answer"},
		{"HTML", func(_ *testing.T, f *nodetest.Node, _ *ExternalNode) {
			f.Break(200, "<html>Welcome to your router</html>")
		}, "is no Bitcoin node"},
		{"half an answer", func(_ *testing.T, f *nodetest.Node, _ *ExternalNode) { f.Break(200, `{"result":{"chain":"regt`) }, "is no Bitcoin node"},
		{"cookie unreadable", func(t *testing.T, _ *nodetest.Node, n *ExternalNode) { n.CookieFile = t.TempDir() }, "may not read it"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := nodetest.New(t)
			n := ExternalNode{URL: fake.URL, CookieFile: fake.CookieFile}
			test.fault(t, fake, &n)
			err := using(t, n).probeExternal(t.Context())
			if err == nil {
				t.Fatal("the node is said to be well")
			}
			if got := n.explain(err); !strings.Contains(got, test.want) {
				t.Errorf("explain(%v) = %q, want %q in it", err, got, test.want)
			}
		})
	}
}

// TestExternalNodeAnotherChain lets the node come back as one of another chain, and
// lie about its headers: it is asked for nothing, in words, until it is in order.
func TestExternalNodeAnotherChain(t *testing.T) {
	fake := nodetest.New(t)
	fake.Mine(1)
	a := using(t, ExternalNode{URL: fake.URL, CookieFile: fake.CookieFile})
	external := bitcoind.NewExternal(bitcoind.ExternalConfig{
		Address: fake.URL, Probe: a.probeExternal, Warmup: warmingUp, Explain: a.config.External.explain, Logger: a.log,
		RetryEvery: time.Millisecond, WatchEvery: time.Millisecond,
	})
	a.runner.Store(&nodeRunner{external})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- external.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	until := func(what string, done func(NodeStatus) bool) {
		t.Helper()
		var last NodeStatus
		for range 2000 {
			if last = a.Node(ctx); done(last) {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatalf("did not happen: %s; the node is shown as %+v", what, last)
	}
	ready := func(s NodeStatus) bool { return s.Phase == "ready" }
	until("the node is ready", ready)
	if c := a.checkNodeHealth(a.Node(ctx), Check{}); c.Status != Degraded || !strings.Contains(c.Reason, "runs without wallets") {
		t.Errorf("a node without wallets is reported as %+v", c)
	}

	comeBackAs := func(method string, h nodetest.Handler) {
		fake.Stop()
		until("its absence is noticed", func(s NodeStatus) bool { return s.Class == string(bitcoind.ClassAway) })
		fake.Handle(method, h)
		fake.Start("")
	}
	for _, other := range []struct {
		name, method, answer, want string
	}{
		{"another chain", "getblockchaininfo", `{"chain":"main","blocks":1,"headers":1,"bestblockhash":"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206"}`, "is on the network main"},
		{"headers that are not its own", "getblockheader", `"` + strings.Repeat("00", 80) + `"`, "header"},
		{"headers of another length", "getblockheader", `"` + strings.Repeat("00", 164) + `"`, "164"},
	} {
		comeBackAs(other.method, func(nodetest.Call) (any, error) { return json.RawMessage(other.answer), nil })
		until(other.name+" is refused", func(s NodeStatus) bool { return s.Class == classChain && strings.Contains(s.Text, other.want) })
		if err := a.node.Vouch(ctx); !node.Refused(err) {
			t.Errorf("%s: Vouch() = %v", other.name, err)
		}
		comeBackAs(other.method, nil)
		until("it is in order again", ready)
	}
}

// TestExternalNodeAnswers checks what the command line may say of a node.
func TestExternalNodeAnswers(t *testing.T) {
	cookie, password := fileWith(t, "__cookie__:x"), fileWith(t, "secret")
	tests := []struct {
		name string
		node ExternalNode
		want string // empty: it does
	}{
		{"none", ExternalNode{}, ""},
		{"cookie", ExternalNode{URL: "http://127.0.0.1:8332", CookieFile: cookie}, ""},
		{"user", ExternalNode{URL: "https://node.example/", User: "pool", PasswordFile: password}, ""},
		{"no address", ExternalNode{CookieFile: cookie}, "--node-url, where it is, is missing"},
		{"no login", ExternalNode{URL: "http://127.0.0.1:8332"}, "needs a login"},
		{"user without password", ExternalNode{URL: "http://127.0.0.1:8332", User: "pool"}, "needs a login"},
		{"two logins", ExternalNode{URL: "http://127.0.0.1:8332", CookieFile: cookie, User: "pool"}, "one login"},
		{"password in sight", ExternalNode{URL: "http://pool:hunter2@127.0.0.1:8332", CookieFile: cookie}, "holds a password"},
		{"no scheme", ExternalNode{URL: "127.0.0.1:8332", CookieFile: cookie}, "no address of a node"},
		{"a wallet's address", ExternalNode{URL: "http://127.0.0.1:8332/wallet/x", CookieFile: cookie}, "ends behind the port"},
		{"password file missing", ExternalNode{URL: "http://127.0.0.1:8332", User: "pool", PasswordFile: cookie + "-no"}, "cannot be read"},
		{"password file empty", ExternalNode{URL: "http://127.0.0.1:8332", User: "pool", PasswordFile: fileWith(t, "")}, "is empty"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(t.Context(), Config{DataDir: "/dev/null", External: test.node})
			got := err.Error() // the data directory is none, so that there is always one
			if strings.Contains(got, "hunter2") || strings.Contains(got, "secret") {
				t.Errorf("the error shows the password: %s", got)
			}
			if test.want == "" {
				test.want = "data directory /dev/null"
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("New() = %q, want %q in it", got, test.want)
			}
		})
	}
}

// TestExternalNodeInTheClear says what goes over the network for all to read.
func TestExternalNodeInTheClear(t *testing.T) {
	for url, warned := range map[string]bool{
		"http://127.0.0.1:8332": false, "http://localhost:8332": false, "http://[::1]:8332": false,
		"https://10.0.0.7:8332": false, "http://10.0.0.7:8332": true, "http://umbrel.local:8332": true,
	} {
		if got := (ExternalNode{URL: url}).exposure(); (got != "") != warned {
			t.Errorf("%s: warning %q, want one: %t", url, got, warned)
		}
	}
	n := ExternalNode{URL: "http://203.0.113.9:8332", User: "pool", PasswordFile: fileWith(t, "secret")}
	err := using(t, n).probeExternal(t.Context())
	if !errors.Is(err, node.ErrExposed) || !strings.Contains(n.explain(err), "outside of the home network") {
		t.Errorf("over the Internet: %v", err)
	}
}

// TestNeighbourIsFound looks for a node that runs on this machine already.
func TestNeighbourIsFound(t *testing.T) {
	realm := `Basic realm="jsonrpc"`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Error("a password was sent to a node that nobody named")
		}
		w.Header().Set("WWW-Authenticate", realm)
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	port := server.Listener.Addr().(*net.TCPAddr).Port
	cookie := fileWith(t, "__cookie__:x")

	n := neighbour{port: port, cookies: []string{cookie + "-no", cookie}}
	want := fmt.Sprintf("--node-url http://127.0.0.1:%d --node-cookie-file %s.", port, cookie)
	if got := n.look(t.Context()); !strings.Contains(got, want) || strings.Contains(got, "__cookie__") {
		t.Errorf("look() = %q, want %q in it", got, want)
	}
	n.cookies = nil
	if got := n.look(t.Context()); !strings.Contains(got, "may not read it") {
		t.Errorf("look() without a cookie = %q", got)
	}
	realm = `Basic realm="router"`
	if got := n.look(t.Context()); got != "" {
		t.Errorf("another program is taken for a node: %q", got)
	}
	server.Close()
	if got := n.look(t.Context()); got != "" {
		t.Errorf("nobody is taken for a node: %q", got)
	}
	for network, want := range map[string]int{"main": 8332, "testnet4": 48332, "signet": 38332, "practice": 0, "regtest": 0} {
		if got, ok := neighbourOf(network); got.port != want || ok != (want != 0) {
			t.Errorf("neighbourOf(%s) = %+v, %t", network, got, ok)
		}
	}
}

// using returns as much of an appliance as asks the node n.
func using(t *testing.T, n ExternalNode) *Appliance {
	t.Helper()
	if err := n.check(); err != nil {
		t.Fatal(err)
	}
	login, err := n.login()
	if err != nil {
		t.Fatal(err)
	}
	login.Network = "regtest"
	a := &Appliance{network: "regtest", config: Config{External: n}, login: login, node: node.New(login), log: slog.New(slog.DiscardHandler)}
	t.Cleanup(a.node.CloseIdle)
	return a
}

func fileWith(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// asUser logs in to the fake by name and password, as rpcauth does.
func asUser(t *testing.T, f *nodetest.Node, n *ExternalNode) {
	t.Helper()
	cookie, err := os.ReadFile(f.CookieFile)
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(cookie), ":")
	n.CookieFile, n.User, n.PasswordFile = "", user, fileWith(t, password)
}
