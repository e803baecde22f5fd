package webui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/cpuminer"
	"github.com/dmpool/dmpool/pool/payout"
)

// realBox is a whole box on a real node, on regtest, with the pages in front.
type realBox struct {
	t    *testing.T
	box  *appliance.Appliance
	url  string
	rest func() // stops the miner
}

// startRealBox starts a box, mines until something is mature and rests, or skips
// the test where there is no node and none is demanded.
func startRealBox(t *testing.T) *realBox {
	t.Helper()
	binary, err := bitcoind.Find("")
	if errors.Is(err, bitcoind.ErrNotFound) && os.Getenv("DMPOOL_TEST_ALL") == "" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "box")
	answers, err := appliance.ParseAnswers(strings.NewReader(`{"network":"regtest","operator":{"password":"` + password + `"}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := appliance.SetUp(t.Context(), dir, answers); err != nil {
		t.Fatal(err)
	}
	ln, err := appliance.Listen(t.Context(), "miners", "127.0.0.1:0", "--stratum")
	if err != nil {
		t.Fatal(err)
	}
	quiet := slog.New(slog.DiscardHandler)
	box, err := appliance.New(t.Context(), appliance.Config{DataDir: dir, Bitcoind: binary, Stratum: []net.Listener{ln}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, box.Close()); err != nil {
			t.Error(err)
		}
	})
	handler, _, err := New(box, Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	b := &realBox{t: t, box: box, url: server.URL}
	b.eventually("the box is healthy", func() bool { return box.Health(ctx).Status == appliance.Healthy })

	// Payouts come only by hand, so that each test knows its own, and the pool
	// earns something to pay the network with.
	tab := b.signIn("127.0.0.1")
	tab.mustDo("/api/payments/config", map[string]any{"rev": 1, "password": password, "settings": map[string]any{"payout_every_secs": 0, "fee_bps": 100}})
	b.mine(ln.Addr().String())
	b.eventually("a block is mature", func() bool {
		sums, err := box.Ledger().Sums(ctx)
		return err == nil && sums.Payable > 0
	})
	b.rest()
	return b
}

func (b *realBox) eventually(what string, done func() bool) {
	b.t.Helper()
	for range 1200 {
		if done() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("did not happen: %s; health %+v", what, b.box.Health(context.Background()))
}

// mine connects a CPU miner, slow enough for a few blocks a second.
func (b *realBox) mine(addr string) {
	b.t.Helper()
	m, err := cpuminer.New(cpuminer.Config{
		URL: "stratum+tcp://" + addr, User: "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080.rig", Password: "x",
		Threads: 1, MaxHashrate: 20, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Run(ctx) }()
	b.rest = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			b.t.Errorf("mine: %v", err)
		}
	})
	b.t.Cleanup(b.rest)
}

// tab is a signed-in browser at an address of its own: attempts at the password
// are counted by address.
type tab struct {
	b     *realBox
	http  *http.Client
	token string
	keys  int
}

func (b *realBox) signIn(ip string) *tab {
	b.t.Helper()
	return b.signInAs(ip, "admin", password)
}

func (b *realBox) signInAs(ip, user, pass string) *tab {
	b.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	transport := &http.Transport{DialContext: dialer.DialContext}
	b.t.Cleanup(transport.CloseIdleConnections)
	w := &tab{b: b, http: &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	_, page, _ := w.send(http.MethodGet, "/login", "", "", nil)
	form := url.Values{"user": {user}, "password": {pass}, "token": {hidden(b.t, page, "token")}}
	if status, page, _ := w.send(http.MethodPost, "/login", "application/x-www-form-urlencoded", form.Encode(), nil); status != http.StatusSeeOther {
		b.t.Fatalf("sign in: status %d, %s", status, page)
	}
	_, _, head := w.send(http.MethodGet, "/api/payments/stats", "", "", nil)
	w.token = head.Get(tokenHeader)
	return w
}

// send asks and reads the answer. It may be called from any goroutine.
func (w *tab) send(method, path, kind, body string, header map[string]string) (status int, answer string, head http.Header) {
	req, err := http.NewRequestWithContext(context.Background(), method, w.b.url+path, strings.NewReader(body))
	if err != nil {
		w.b.t.Error(err)
		return 0, "", nil
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Origin", w.b.url)
	}
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		w.b.t.Error(err)
		return 0, "", nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		w.b.t.Error(err)
	}
	return resp.StatusCode, string(text), resp.Header
}

// command sends a command of the API with an idempotency key.
func (w *tab) command(path, key string, fields map[string]any) (status int, v map[string]any) {
	body, err := json.Marshal(fields)
	if err != nil {
		w.b.t.Error(err)
	}
	status, answer, _ := w.send(http.MethodPost, path, "application/json", string(body), map[string]string{tokenHeader: w.token, "Idempotency-Key": key})
	if err := json.Unmarshal([]byte(answer), &v); err != nil {
		w.b.t.Errorf("%s: %v in %s", path, err, answer)
	}
	return status, v
}

// mustDo sends a command under a key of its own that has to succeed.
func (w *tab) mustDo(path string, fields map[string]any) map[string]any {
	w.b.t.Helper()
	w.keys++
	status, v := w.command(path, fmt.Sprintf("%s#%d", path, w.keys), fields)
	if status >= 300 {
		w.b.t.Fatalf("%s: status %d, %v", path, status, v)
	}
	return v
}

// pending prepares a payout and waits until it can be approved.
func (b *realBox) pending(w *tab) payoutView {
	b.t.Helper()
	id := int64(w.mustDo("/api/payments/create", nil)["id"].(float64))
	return b.awaitPending(id)
}

func (b *realBox) awaitPending(id int64) (v payoutView) {
	b.t.Helper()
	m := &machine{box: b.box, log: slog.New(slog.DiscardHandler)}
	b.eventually("the payout is funded", func() bool {
		var err error
		if v, err = m.Payout(context.Background(), id); err != nil {
			b.t.Fatal(err)
		}
		return v.State == string(payout.Pending)
	})
	return v
}

// yes is the command that approves a payout as it was seen.
func yes(v payoutView) map[string]any {
	return map[string]any{"rev": v.Rev, "digest": v.Digest, "total_sats": v.Total, "password": password}
}

// approvals are those that are written down.
func (b *realBox) approvals(id int64) int {
	b.t.Helper()
	p, err := b.box.Payouts().Get(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(p.Approvals)
}

// sends counts the transactions that left the wallet.
func (b *realBox) sends() int {
	b.t.Helper()
	var since struct {
		Transactions []struct {
			Category, TxID string
		} `json:"transactions"`
	}
	if err := b.box.NodeClient().Call(context.Background(), "listsinceblock", &since); err != nil {
		b.t.Fatal(err)
	}
	sent := map[string]bool{}
	for _, tx := range since.Transactions {
		if tx.Category == "send" {
			sent[tx.TxID] = true
		}
	}
	return len(sent)
}

// Fault 1: double clicks, two tabs and replayed POSTs, on create and on approve,
// through the pages and through the API, all at once: one payout, one approval,
// one payment.
func TestFault01ClicksAtOnce(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	const clicks = 50
	tabs := make([]*tab, clicks)
	for i := range tabs {
		tabs[i] = b.signIn(fmt.Sprintf("127.0.1.%d", i+1))
	}

	ids := make([]any, clicks)
	at := func(click func(i int)) {
		var group sync.WaitGroup
		for i := range clicks {
			group.Go(func() { click(i) })
		}
		group.Wait()
	}
	at(func(i int) {
		status, v := tabs[i].command("/api/payments/create", "one key", nil)
		ids[i] = v["id"]
		if status != http.StatusCreated {
			t.Errorf("create %d: status %d, %v", i, status, v)
		}
	})
	for _, id := range ids {
		if id != ids[0] {
			t.Fatalf("one key prepared the payouts %v", ids)
		}
	}
	if status, v := tabs[1].command("/api/payments/create", "another key", nil); status != http.StatusUnprocessableEntity {
		t.Errorf("another key, with nothing left: status %d, %v", status, v)
	}

	v := b.awaitPending(int64(ids[0].(float64)))
	path := fmt.Sprintf("/payouts/%d/approve", v.ID)
	form := url.Values{"rev": {fmt.Sprint(v.Rev)}, "digest": {v.Digest}, "total": {fmt.Sprint(v.Total)}, "password": {password}}
	outcomes := make([]int, clicks)
	at(func(i int) {
		if i%2 == 0 {
			f := url.Values{"token": {tabs[i].token}}
			for key, value := range form {
				f[key] = value
			}
			outcomes[i], _, _ = tabs[i].send(http.MethodPost, path, "application/x-www-form-urlencoded", f.Encode(), nil)
			return
		}
		outcomes[i], _ = tabs[i].command(fmt.Sprintf("/api/payments/broadcast/%d", v.ID), fmt.Sprint("click ", i), yes(v))
	})
	won := 0
	for i, status := range outcomes {
		switch status {
		case http.StatusSeeOther, http.StatusOK:
			won++
		case http.StatusConflict:
		default:
			t.Errorf("click %d: status %d", i, status)
		}
	}
	if won != 1 || b.approvals(v.ID) != 1 {
		t.Errorf("%d of %d approvals won, %d are written down; want 1", won, clicks, b.approvals(v.ID))
	}

	b.mine(b.box.Pool().Listeners[0].Addr().String())
	b.eventually("the payout is settled", func() bool {
		p, err := b.box.Payouts().Get(context.Background(), v.ID)
		return err == nil && p.State == payout.Settled
	})
	b.rest()
	if n := b.sends(); n != 1 {
		t.Errorf("%d payments left the wallet, want 1", n)
	}
	if err := b.box.Ledger().Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Fault 2: a yes to an old revision, or to a plan that is another by now, is
// answered with 409, and nothing is signed.
func TestFault02OldPlan(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	w := b.signIn("127.0.0.2")
	old := b.pending(w)
	w.mustDo(fmt.Sprintf("/api/payments/cancel/%d", old.ID), map[string]any{"rev": old.Rev})
	now := b.pending(w)
	for name, v := range map[string]payoutView{
		"a cancelled payout": old,
		"an old revision":    with(now, func(v *payoutView) { v.Rev-- }),
		"a later revision":   with(now, func(v *payoutView) { v.Rev++ }),
		"another plan":       with(now, func(v *payoutView) { v.Digest = old.Digest }),
	} {
		w := b.signIn("127.0.2.1")
		if status, answer := w.command(fmt.Sprintf("/api/payments/broadcast/%d", v.ID), name, yes(v)); status != http.StatusConflict {
			t.Errorf("%s: status %d, %v", name, status, answer)
		}
		if n := b.approvals(v.ID); n != 0 {
			t.Errorf("%s: %d approvals", name, n)
		}
	}
	if n := b.sends(); n != 0 {
		t.Errorf("%d payments left the wallet", n)
	}
}

// Fault 58: a limit that is lowered between the draft and the approval counts.
func TestFault58CapLowered(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	w := b.signIn("127.0.0.2")
	v := b.pending(w)
	w.mustDo("/api/payments/config", map[string]any{"rev": 2, "password": password, "settings": map[string]any{"max_payout_sat": v.Total - 1}})
	if status, answer := w.command(fmt.Sprintf("/api/payments/broadcast/%d", v.ID), "k", yes(v)); status != http.StatusUnprocessableEntity || !strings.Contains(fmt.Sprint(answer["detail"]), "over the limit") {
		t.Errorf("status %d, %v", status, answer)
	}
	if n := b.approvals(v.ID); n != 0 || b.sends() != 0 {
		t.Errorf("%d approvals, %d payments", n, b.sends())
	}
}

// with is a payout as somebody might have seen it.
func with(v payoutView, change func(*payoutView)) payoutView {
	change(&v)
	return v
}
