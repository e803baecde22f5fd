package node

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"go.uber.org/goleak"

	"github.com/dmpool/dmpool/pool/node/nodetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// newTestClient returns a client for the fake, with wallet "pool".
func newTestClient(t *testing.T, fake *nodetest.Node) *Client {
	t.Helper()

	c := New(Config{URL: fake.URL, CookieFile: fake.CookieFile, Wallet: "pool"})
	t.Cleanup(c.CloseIdle)

	return c
}

func TestCookieIsReadAgainAfterRestart(t *testing.T) {
	fake := nodetest.New(t)
	c := newTestClient(t, fake)
	want, _ := fake.Tip()

	for range 3 {
		got, err := c.BestBlockHash(t.Context())
		if err != nil || got != want {
			t.Fatalf("BestBlockHash() = %v, %v, want %v", got, err, want)
		}
		fake.Stop()
		fake.Start("")
	}
}

func TestMissingCookieMeansStarting(t *testing.T) {
	fake := nodetest.New(t)
	fake.Stop()
	c := newTestClient(t, fake)

	_, err := c.BestBlockHash(t.Context())
	if !errors.Is(err, ErrStarting) || !Unavailable(err) {
		t.Errorf("BestBlockHash() without a cookie: %v, want ErrStarting", err)
	}

	// bitcoind on a full disk leaves an empty file.
	if err := os.WriteFile(fake.CookieFile, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.BestBlockHash(t.Context()); !errors.Is(err, ErrStarting) {
		t.Errorf("BestBlockHash() with an empty cookie: %v, want ErrStarting", err)
	}
}

// People type the path of the cookie into a page: the content of another file goes nowhere, and a file without an end
// does not fill the memory.
func TestOnlyCookiesAreSent(t *testing.T) {
	var sent atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { sent.Add(1) }))
	defer server.Close()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	files := map[string]error{pipe: ErrCookie, "/dev/zero": ErrCookie, dir: ErrCookie}
	for name, content := range map[string]string{"passphrase": "horse: battery", "config": "rpcauth=pool:salt$hash", "user": "pool:x"} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		files[file] = ErrStarting
	}
	for file, want := range files {
		c := New(Config{URL: server.URL, CookieFile: file})
		if _, err := c.BestBlockHash(t.Context()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", file, err, want)
		}
		c.CloseIdle()
	}
	if n := sent.Load(); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

func TestAnswers(t *testing.T) {
	tests := []struct {
		name        string
		status      int
		body        string
		want        error // sentinel, or nil
		code        int   // of an RPCError, or 0
		unavailable bool
	}{
		{"2.0 result", 200, `{"jsonrpc":"2.0","result":7,"id":1}`, nil, 0, false},
		{"1.1 result", 200, `{"result":7,"error":null,"id":1}`, nil, 0, false},
		{"2.0 error", 200, `{"jsonrpc":"2.0","error":{"code":-5,"message":"Block not found"},"id":1}`, nil, -5, false},
		{"1.1 error", 500, `{"result":null,"error":{"code":-26,"message":"mempool full"},"id":1}`, nil, -26, false},
		{"1.1 unknown method", 404, `{"result":null,"error":{"code":-32601,"message":"Method not found"},"id":1}`, nil, -32601, false},
		{"warm-up", 200, `{"jsonrpc":"2.0","error":{"code":-28,"message":"Loading wallet…"},"id":1}`, nil, -28, true},
		{"wallet not loaded", 500, `{"result":null,"error":{"code":-18,"message":"Requested wallet does not exist"},"id":1}`, nil, -18, true},
		{"wrong password", 401, "", ErrUnauthorized, 0, true},
		{"not on the whitelist", 403, "", ErrForbidden, 0, true},
		{"queue full", 503, "Work queue depth exceeded", ErrUnreachable, 0, true},
		{"something else", 200, "<html>It works!</html>", ErrBadAnswer, 0, true},
		{"page not found", 404, "<html>secret</html>", ErrBadAnswer, 0, true},
		{"redirect", 302, "", ErrBadAnswer, 0, true},
		{"no result", 200, `{"jsonrpc":"2.0","id":1}`, ErrBadAnswer, 0, true},
		{"result of another type", 200, `{"jsonrpc":"2.0","result":{},"id":1}`, ErrBadAnswer, 0, true},
		{"failure without error", 500, `{"result":1,"error":null,"id":1}`, ErrBadAnswer, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.status)
				_, _ = w.Write([]byte(test.body))
			}))
			defer server.Close()
			c := New(Config{URL: server.URL, User: "user", Password: "secret"})

			var got int
			err := c.Call(t.Context(), "method", &got)

			if test.code == 0 && !errors.Is(err, test.want) {
				t.Errorf("Call() = %v, want %v", err, test.want)
			}
			if code, _ := Code(err); code != test.code {
				t.Errorf("Code(%v) = %d, want %d", err, code, test.code)
			}
			if Unavailable(err) != test.unavailable {
				t.Errorf("Unavailable(%v) = %v", err, !test.unavailable)
			}

			failed := test.want != nil || test.code != 0
			if failed && strings.Contains(err.Error(), "secret") {
				t.Errorf("Call() = %v, which shows what nobody should see", err)
			}
			if sentence := Sentence(err); failed != strings.HasPrefix(sentence, "The ") {
				t.Errorf("Sentence(%v) = %q", err, sentence)
			}
			if !failed && got != 7 {
				t.Errorf("Call() decoded %d, want 7", got)
			}
		})
	}
}

func TestNoSecretInErrors(t *testing.T) {
	const passphrase, password = "correct horse", "battery staple"
	refused := httptest.NewServer(nil)
	address := strings.TrimPrefix(refused.URL, "http://")
	refused.Close()

	fake := nodetest.New(t)
	fake.Fail("walletpassphrase", 1, ErrCodeWrongPassphrase, "Error: The wallet passphrase entered was incorrect.")
	cookie, err := os.ReadFile(fake.CookieFile)
	if err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]*Client{
		"refused":        New(Config{URL: "http://user:battery%20staple@" + address}),
		"bad URL":        New(Config{URL: "http://user:battery%20staple@[", User: "user", Password: password}),
		"wrong password": New(Config{URL: fake.URL, User: "user", Password: password}),
		"no such cookie": New(Config{URL: fake.URL, CookieFile: filepath.Join(t.TempDir(), "no")}),
		"node says no":   newTestClient(t, fake),
	} {
		for call, err := range map[string]error{
			"Unlock":       c.Unlock(t.Context(), passphrase, time.Second),
			"CreateWallet": c.CreateWallet(t.Context(), "pool", passphrase),
		} {
			if err == nil {
				t.Errorf("%s: %s succeeds", name, call)
				continue
			}
			for _, secret := range []string{passphrase, password, "battery", string(cookie)} {
				if strings.Contains(err.Error(), secret) || strings.Contains(Sentence(err), secret) {
					t.Errorf("%s: %s: %v, which contains %q", name, call, err, secret)
				}
			}
		}
		c.CloseIdle()
	}
}

func TestWalletCallsNameTheWallet(t *testing.T) {
	fake := nodetest.New(t)
	c := New(Config{URL: fake.URL, CookieFile: fake.CookieFile, Wallet: "my pool/1"})
	defer c.CloseIdle()
	fake.Handle("getbalances", func(call nodetest.Call) (any, error) {
		if call.Wallet != "my pool/1" || string(call.Params) != "[]" {
			t.Errorf("called wallet %q with %s", call.Wallet, call.Params)
		}

		return json.RawMessage(`{"mine":{"trusted":1.00000001,"untrusted_pending":0.00000000,"immature":50.00000000}}`), nil
	})

	got, err := c.Balances(t.Context())
	if want := (Balances{Trusted: 1_0000_0001, Immature: 50_0000_0000}); err != nil || got != want {
		t.Errorf("Balances() = %+v, %v, want %+v", got, err, want)
	}
}

func TestDeadline(t *testing.T) {
	fake := nodetest.New(t)
	c := newTestClient(t, fake)
	over := make(chan struct{})
	fake.Handle("getbestblockhash", func(nodetest.Call) (any, error) {
		<-over
		return chainhash.Hash{}, nil
	})
	defer close(over)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := c.BestBlockHash(ctx)
	if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("BestBlockHash() = %v, want ErrUnreachable by the deadline", err)
	}
}

func TestLongPollDelaysNothing(t *testing.T) {
	fake := nodetest.New(t)
	c := newTestClient(t, fake)
	first, err := c.Template(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}

	type answer struct {
		height int32
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		second, err := c.Template(t.Context(), first.LongPollID)
		if err != nil {
			answers <- answer{0, err}
			return
		}
		answers <- answer{second.Height, nil}
	}()
	for fake.Waiting() == 0 {
		time.Sleep(time.Millisecond)
	}

	result, err := c.SubmitBlock(t.Context(), solve(t, first, nil))
	if result != "" || err != nil {
		t.Fatalf("SubmitBlock() = %q, %v", result, err)
	}
	if got := <-answers; got.height != 2 || got.err != nil {
		t.Errorf("Template() = height %d, %v, want 2", got.height, got.err)
	}
}
