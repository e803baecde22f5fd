package payout

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dmpool/dmpool/pool/node"
)

// cutter stands between the desk and a real node, and cuts the connection after
// the node has carried out a call of a method.
type cutter struct {
	method string
	cuts   atomic.Int32
}

// cutOff returns a desk's way to the node that runs through c.
func (r realBox) cutOff(c *cutter) *node.Client {
	r.t.Helper()
	target, err := url.Parse(r.node.config.URL)
	r.must(err)
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			r.t.Error(err)
		}
		request.Body = io.NopCloser(bytes.NewReader(body))
		if !strings.Contains(string(body), `"`+c.method+`"`) {
			proxy.ServeHTTP(w, request)
			return
		}
		c.cuts.Add(1)
		proxy.ServeHTTP(httptest.NewRecorder(), request)
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			r.t.Error(err)
			return
		}
		_ = connection.Close()
	}))
	r.t.Cleanup(server.Close)
	config := r.node.config
	config.URL = server.URL
	client := node.New(config)
	r.t.Cleanup(client.CloseIdle)

	return client
}

// TestFault08ConnectionCut: the node has taken the payout, and its answer is lost.
func TestFault08ConnectionCut(t *testing.T) {
	r := newRealBox(t)
	p := r.draft()
	r.advance()
	r.approve(r.want(p.ID, Pending, ""))
	c := &cutter{method: "sendrawtransaction"}
	r.desk.wallet = r.cutOff(c)
	r.advance()
	p = r.want(p.ID, Signed, "does not answer")
	if _, err := r.node.Descendants(t.Context(), *p.TxID); err != nil || c.cuts.Load() == 0 {
		t.Fatalf("after %d cut connections the node says of the payout: %v", c.cuts.Load(), err)
	}

	r.sitDown() // a new start of the program
	r.advance()
	again := r.want(p.ID, Broadcast, "")
	if !bytes.Equal(again.Raw, p.Raw) {
		t.Error("other bytes were sent the second time")
	}
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.wantOneSend()
	r.checkAgree()
}

// wantOneSend makes sure that one transaction has paid from the wallet.
func (r realBox) wantOneSend() {
	r.t.Helper()
	since, err := r.node.ListSinceBlock(context.Background(), [32]byte{})
	if err != nil {
		r.t.Fatal(err)
	}
	sends := map[string]bool{}
	for _, e := range since.Transactions {
		if e.Category == "send" {
			sends[e.TxID.String()] = true
		}
	}
	if len(sends) != 1 {
		r.t.Errorf("%d transactions have paid from the wallet, want 1: %v", len(sends), sends)
	}
}

// TestFault10NodeKilled: the node is killed when it has just taken the payout, and
// neither its wallet nor its mempool brings it back.
func TestFault10NodeKilled(t *testing.T) {
	r := newRealBox(t, "-walletbroadcast=0", "-persistmempool=0")
	p := r.onTheWay()
	r.node.kill()
	r.node.start()
	r.node.load()
	if _, err := r.node.Descendants(t.Context(), *p.TxID); !node.IsCode(err, node.ErrCodeNotFound) {
		t.Fatalf("the node still has the payout: %v", err)
	}

	r.sitDown()
	r.advance()
	r.want(p.ID, Broadcast, "")
	if _, err := r.node.Descendants(t.Context(), *p.TxID); err != nil {
		t.Errorf("the payout was not sent again: %v", err)
	}
	r.mine(3)
	r.advance()
	r.want(p.ID, Settled, "")
	r.wantOneSend()
	r.checkAgree()
}

// TestFault57StrangeAnswers: what answers is not the node, or does not let us in.
// Nothing changes but the sentence on the payout.
func TestFault57StrangeAnswers(t *testing.T) {
	answers := map[string]struct {
		status  int
		body    string
		problem string
	}{
		"401":         {http.StatusUnauthorized, "", "does not accept the pool's login"},
		"503":         {http.StatusServiceUnavailable, "Work queue depth exceeded", "does not"},
		"a web page":  {http.StatusOK, "<html>Welcome to your router</html>", "does not understand"},
		"no method":   {http.StatusNotFound, `{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}`, "Method not found"},
		"empty":       {http.StatusOK, "", "does not understand"},
		"null result": {http.StatusOK, `{"result":null,"error":null,"id":1}`, "chain"},
	}
	full := fullLedger(t)
	for name, a := range answers {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(a.status)
				_, _ = fmt.Fprint(w, a.body)
			}))
			defer server.Close()

			for _, state := range []State{Draft, Pending, Approved, Broadcast} {
				b := newBox(t, full)
				p := b.upTo(state)
				client := node.New(node.Config{URL: server.URL, User: "pool", Password: "x", Wallet: "pool"})
				b.desk.wallet = client
				for range 3 {
					if err := b.desk.Advance(t.Context()); err == nil {
						t.Error("Advance: no error")
					}
				}
				got := b.get(p.ID)
				if got.State != state || got.Rev != p.Rev || state != Pending && !strings.Contains(got.Problem, a.problem) {
					t.Errorf("%s became %s at revision %d, was %d: %q", state, got.State, got.Rev, p.Rev, got.Problem)
				}

				b.desk.wallet = b.wallet
				b.advance()
				client.CloseIdle()
			}
		})
	}
}

// upTo takes a new payout to a state.
func (b *box) upTo(state State) Payout {
	b.t.Helper()
	p := b.draft()
	if state == Draft {
		return p
	}
	b.advance()
	if state == Pending {
		return b.want(p.ID, Pending, "")
	}
	b.approve(b.want(p.ID, Pending, ""))
	if state == Approved {
		return b.want(p.ID, Approved, "")
	}
	b.advance()

	return b.want(p.ID, state, "")
}
