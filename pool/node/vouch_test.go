package node

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/pool/node/guard"
	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// forked lets the fake list what Knots lists before its fork.
func forked(fake *nodetest.Node) {
	fake.Handle("getdeploymentinfo", func(nodetest.Call) (any, error) {
		return map[string]any{"deployments": map[string]any{}, "blake2b": map[string]any{"height": 111, "active": false}}, nil
	})
}

// wantRefused checks that nothing was asked of a node on another chain.
func wantRefused(t *testing.T, call string, err error, reason string) {
	t.Helper()
	var refused *guard.RefusedError
	if !errors.As(err, &refused) || !strings.Contains(refused.Reason, reason) {
		t.Errorf("%s: %v, want it refused for %q", call, err, reason)
	}
	if !Unavailable(err) || Sentence(err) != refused.Error() {
		t.Errorf("%s: Unavailable %t, Sentence %q", call, Unavailable(err), Sentence(err))
	}
}

// A node that was in order and comes back as another program gets no work and no payment, and no passphrase.
func TestGuardLooksAgainAfterContactWasLost(t *testing.T) {
	fake := nodetest.New(t)
	c := newTestClient(t, fake)
	for _, method := range []string{"walletpassphrase", "walletcreatefundedpsbt", "walletprocesspsbt", "sendrawtransaction"} {
		fake.Handle(method, func(nodetest.Call) (any, error) { return nil, &nodetest.Error{Code: ErrCodeMisc, Message: "asked"} })
	}
	for range 3 {
		if _, err := c.Template(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if n := fake.Calls("getdeploymentinfo"); n != 1 {
		t.Errorf("looked %d times, want once", n)
	}

	forked(fake)
	asked := fake.Calls("getblocktemplate")
	other := c.ForWallet("other")
	for name, call := range map[string]func() error{
		"FundPSBT":    func() error { _, err := c.FundPSBT(t.Context(), nil, FundOptions{}); return err },
		"Template":    func() error { _, err := c.Template(t.Context(), ""); return err },
		"Unlock":      func() error { return c.Unlock(t.Context(), "secret", 1) },
		"ProcessPSBT": func() error { _, _, err := c.ProcessPSBT(t.Context(), ""); return err },
		"SendRaw":     func() error { _, err := c.SendRaw(t.Context(), nil, "1"); return err },
		"any wallet":  func() error { return other.WalletCall(t.Context(), "sendtoaddress", nil) },
	} {
		// Each of them is the first to find out.
		fake.Handle("getdeploymentinfo", nil)
		if err := c.Vouch(t.Context()); err != nil {
			t.Fatal(err)
		}
		forked(fake)
		fake.Stop()
		fake.Start("")
		wantRefused(t, name, call(), "BLAKE2b")
	}
	if n := fake.Calls("getblocktemplate"); n != asked {
		t.Errorf("a refused node was asked for work %d times", n-asked)
	}
	for _, method := range []string{"walletpassphrase", "walletcreatefundedpsbt", "walletprocesspsbt", "sendrawtransaction", "sendtoaddress"} {
		if n := fake.Calls(method); n != 0 {
			t.Errorf("a refused node got %d calls of %s", n, method)
		}
	}

	// A block that was found goes out all the same.
	if result, err := c.SubmitBlock(t.Context(), make([]byte, 81)); Refused(err) {
		t.Errorf("SubmitBlock() = %q, %v", result, err)
	}

	fake.Handle("getdeploymentinfo", nil)
	if _, err := c.Template(t.Context(), ""); err != nil {
		t.Errorf("Template() of a node that is in order again: %v", err)
	}
}

// Each sign of a lost contact ends the trust; what a caller breaks off does not.
func TestGuardTrustEndsWithContact(t *testing.T) {
	tests := []struct {
		name string
		lose func(*nodetest.Node)
		want int // further looks
	}{
		{"new cookie", func(f *nodetest.Node) { f.Stop(); f.Start("") }, 1},
		{"warm-up", func(f *nodetest.Node) { f.Fail("getbestblockhash", 1, ErrCodeWarmup, "Loading…") }, 1},
		{"queue full", func(f *nodetest.Node) { f.Break(503, "") }, 1},
		{"an answer that says no", func(f *nodetest.Node) { f.Fail("getbestblockhash", 1, ErrCodeMisc, "no") }, 0},
		{"nothing", func(*nodetest.Node) {}, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			fake := nodetest.New(t)
			c := newTestClient(t, fake)
			if err := c.Vouch(t.Context()); err != nil {
				t.Fatal(err)
			}
			test.lose(fake)
			_, _ = c.BestBlockHash(t.Context())
			if err := c.Vouch(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := fake.Calls("getdeploymentinfo") - 1; got != test.want {
				t.Errorf("looked %d times more, want %d", got, test.want)
			}
		})
	}
}

// A node that was in order, and whose next block is not: the template's parent is looked at, and its rules.
func TestGuardLooksAtEachTip(t *testing.T) {
	fake := nodetest.New(t)
	c := newTestClient(t, fake)
	if _, err := c.Template(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	fake.Mine(1)
	fake.Handle("getblockheader", func(nodetest.Call) (any, error) { return strings.Repeat("00", 164), nil })
	_, err := c.Template(t.Context(), "")
	wantRefused(t, "Template", err, "has 164 bytes")
}

// A node with a fixed password may be restarted without a sign of it.
func TestGuardLooksBeforeEachPaymentWithoutCookie(t *testing.T) {
	fake := nodetest.New(t)
	cookie, err := os.ReadFile(fake.CookieFile)
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(string(cookie), ":")
	c := New(Config{URL: fake.URL, User: user, Password: password})
	t.Cleanup(c.CloseIdle)
	if err := c.Vouch(t.Context()); err != nil {
		t.Fatal(err)
	}
	forked(fake)
	_, err = c.SendRaw(t.Context(), nil, "1")
	wantRefused(t, "SendRaw", err, "BLAKE2b")
}

func TestGuardComparesTheNetwork(t *testing.T) {
	fake := nodetest.New(t)
	c := New(Config{URL: fake.URL, CookieFile: fake.CookieFile, Network: "main"})
	t.Cleanup(c.CloseIdle)
	_, err := c.Template(t.Context(), "")
	wantRefused(t, "Template", err, "The node is on the network regtest, and this pool is for main.")
}

// The two negative tests of appliance.md 0.3 with the real program. They hold for Knots; Bitcoin Core has no such fork,
// does not start with the first one's option, and passes the second.
func TestGuardBitcoindRefusesTheFork(t *testing.T) {
	needKnots(t)
	n := startBitcoind(t, "regtest", "-testactivationheight=blake2b@111")
	_, err := n.Template(t.Context(), "")
	wantRefused(t, "Template", err, "BLAKE2b")
	wantRefused(t, "Unlock", n.Unlock(t.Context(), "secret", 1), "BLAKE2b")

	const anyone = "raw(51)#8lvh9jxk" // an output that everybody can spend
	if err := n.Call(t.Context(), "generatetodescriptor", nil, 111, anyone); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, "Vouch after the fork", n.Vouch(t.Context()), "BLAKE2b")

	// Also if the node kept silent about its plans.
	facts, err := n.facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	clear(facts.Deployments)
	wantRefused(t, "header of the fork", guard.Judge("regtest", facts), "has 164 bytes")
}

func TestGuardBitcoindKnotsOnMain(t *testing.T) {
	needKnots(t)
	n := startBitcoind(t, "main", "-prune=550", "-dbcache=4", "-disablewallet")
	n.config.Network = "main"
	_, err := n.Template(t.Context(), "")
	wantRefused(t, "Template", err, "The node is Bitcoin Knots")

	// By any other name, too.
	facts, err := n.facts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	facts.Subversion = "/Satoshi:29.5.0/"
	wantRefused(t, "unnamed", guard.Judge("main", facts), "BLAKE2b")
	delete(facts.Deployments, "blake2b")
	wantRefused(t, "unnamed and silent", guard.Judge("main", facts), "on a fixed day")
}

func TestGuardBitcoindPassesOnTestChains(t *testing.T) {
	for network, args := range map[string][]string{
		"regtest": {"regtest"}, "signet": {"signet"}, "practice": {"signet", "-signetchallenge=51"},
	} {
		t.Run(network, func(t *testing.T) {
			n := startBitcoind(t, args[0], args[1:]...)
			n.config.Network = network
			if err := n.Vouch(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// needKnots skips the test when the program at hand is not Bitcoin Knots.
func needKnots(t *testing.T) {
	t.Helper()
	n := startBitcoind(t, "regtest")
	info, err := n.NetworkInfo(t.Context())
	n.stop()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(info.Subversion, "Knots") {
		t.Skip("no Knots: ", info.Subversion)
	}
}
