package alert

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for what has to come.
const patience = 20 * time.Second

// bench is a bell with a real database, a clock of its own and couriers that can be
// stopped and started.
type bench struct {
	t    *testing.T
	bell *Bell
	logs *lockedBuffer

	mu  sync.Mutex
	now time.Time

	stop func()
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

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, logs: &lockedBuffer{}, now: noon, stop: func() {}}
	b.open(filepath.Join(t.TempDir(), "ledger.db"))
	return b
}

func (b *bench) open(path string) {
	b.t.Helper()
	db, err := sqlite.Open(b.t.Context(), path, ledger.Schema)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		b.stop()
		_ = db.Close()
	})
	b.bell, err = New(Config{
		DB: db, Box: func() string { return "Home" }, Zone: func() *time.Location { return time.UTC }, Language: english,
		Seal: func(owner string, secret []byte) ([]byte, error) { return append([]byte(owner+"|"), secret...), nil },
		Open: func(owner string, sealed []byte) ([]byte, error) {
			text, ok := bytes.CutPrefix(sealed, []byte(owner+"|"))
			if !ok {
				return nil, errors.New("sealed for somebody else")
			}
			return text, nil
		},
		Changed: func() {}, Logger: slog.New(slog.NewTextHandler(b.logs, &slog.HandlerOptions{Level: slog.LevelDebug})), now: b.clock,
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// sleep lets time pass and wakes the couriers, as their timers would.
func (b *bench) sleep(d time.Duration) {
	b.mu.Lock()
	b.now = b.now.Add(d)
	b.mu.Unlock()
	b.bell.wake()
}

// run starts the couriers until stop.
func (b *bench) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.bell.Run(ctx)
	}()
	b.stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	b.t.Cleanup(b.stop)
}

func (b *bench) update(do func(tx *sql.Tx) error) {
	b.t.Helper()
	if err := b.bell.db.Update(b.t.Context(), do); err != nil {
		b.t.Fatal(err)
	}
	b.bell.Refresh()
}

func (b *bench) channel(c Channel, s Secret) int64 {
	b.t.Helper()
	c.Enabled = true
	if c.PerHour == 0 {
		c.PerHour = 60
	}
	if c.Name == "" {
		c.Name = c.Kind
	}
	b.update(func(tx *sql.Tx) (err error) {
		c, err = b.bell.SetChannel(b.t.Context(), tx, c, s)
		return err
	})
	return c.ID
}

// look shows the bell a box, which a function has changed, at the present time.
func (b *bench) look(change func(s *Snapshot)) {
	b.t.Helper()
	s := fine()
	s.At = b.clock()
	s.Mine.Workers[0].LastShare = s.At
	s.Backup.Verified = s.At
	if change != nil {
		change(&s)
	}
	if err := b.bell.Look(b.t.Context(), s); err != nil {
		b.t.Fatal(err)
	}
}

// frozen raises the alert that needs no time.
func frozen(s *Snapshot) { s.Books.Frozen = Part{Bad: true, Reason: "The sums differ."} }

func (b *bench) deliveries() []Delivery {
	b.t.Helper()
	list, err := b.bell.Deliveries(b.t.Context(), 0, 0, 1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return list
}

// eventually waits until the log of deliveries is as wanted.
func (b *bench) eventually(what string, is func([]Delivery) bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is(b.deliveries()) {
			return
		}
	}
	b.t.Fatalf("did not happen: %s; deliveries %+v", what, b.deliveries())
}

func (b *bench) awaitState(state string, n int) {
	b.t.Helper()
	b.eventually(state, func(list []Delivery) bool {
		got := 0
		for _, d := range list {
			if d.State == state {
				got++
			}
		}
		return got == n
	})
}

// receiver is a server that keeps what it is sent.
type receiver struct {
	*httptest.Server
	got chan received

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request)
}

type received struct {
	path   string
	header http.Header
	body   []byte
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{got: make(chan received, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.got <- received{req.URL.Path, req.Header.Clone(), body}
		r.mu.Lock()
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, req)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(do func(w http.ResponseWriter, r *http.Request)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = do
}

// next is what came next.
func (r *receiver) next(t *testing.T) received {
	t.Helper()
	select {
	case got := <-r.got:
		return got
	case <-time.After(patience):
		t.Fatal("nothing came")
		return received{}
	}
}

// none makes sure that nothing has come.
func (r *receiver) none(t *testing.T) {
	t.Helper()
	select {
	case got := <-r.got:
		t.Fatalf("this came: %s", got.body)
	default:
	}
}

func (got received) hook(t *testing.T) (h Hook) {
	t.Helper()
	if err := json.Unmarshal(got.body, &h); err != nil {
		t.Fatalf("%v: %s", err, got.body)
	}
	return h
}

func status(code int, text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, text)
	}
}

func TestWebhook(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL + "/hook?token=s3cret", Token: "key"})
	b.run()
	b.look(frozen)
	got := r.next(t)
	at := got.header.Get("Dmpool-Timestamp")
	if want := "sha256=" + Signature("key", at, got.body); got.header.Get("Dmpool-Signature") != want || at == "" {
		t.Errorf("signature %q, want %q", got.header.Get("Dmpool-Signature"), want)
	}
	h := got.hook(t)
	if h.Box != "Home" || h.Level != Critical || len(h.Alerts) != 1 || h.Test {
		t.Fatalf("hook %+v", h)
	}
	if a := h.Alerts[0]; a.Type != LedgerFrozen || a.News != "raised" || a.OverAt != nil || a.Lines[0] != "The sums differ." || a.Count != 1 {
		t.Errorf("alert %+v", a)
	}
	b.awaitState(stateSent, 1)

	b.sleep(time.Minute)
	b.look(nil)
	b.sleep(time.Minute)
	b.look(nil)
	h = r.next(t).hook(t)
	if a := h.Alerts[0]; a.News != "over" || a.OverAt == nil || a.Title != "Payouts are not frozen any more" {
		t.Errorf("alert %+v", a)
	}
	if logs := b.logs.String(); strings.Contains(logs, "s3cret") {
		t.Errorf("the log tells the token: %s", logs)
	}
}

func TestNtfyAndTelegram(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.bell.config.Telegram = r.URL
	b.channel(Channel{Kind: Ntfy, Target: Target{Server: r.URL, Topic: "pool"}}, Secret{Token: "tk_1"})
	b.channel(Channel{Kind: Telegram, Target: Target{Chat: "-100123"}}, Secret{Token: "123:ABC"})
	b.run()
	b.look(frozen)
	seen := map[string]received{}
	for range 2 {
		got := r.next(t)
		seen[got.path] = got
	}
	ntfy := seen["/"]
	if ntfy.header.Get("Authorization") != "Bearer tk_1" {
		t.Errorf("ntfy was sent %v", ntfy.header)
	}
	var n struct {
		Topic, Title, Message string
		Priority              int
	}
	if err := json.Unmarshal(ntfy.body, &n); err != nil || n.Topic != "pool" || n.Priority != 5 || n.Title != "[Home] Payouts are frozen" ||
		!strings.Contains(n.Message, "The sums differ.") {
		t.Errorf("ntfy was sent %s, %v", ntfy.body, err)
	}
	var m struct {
		Chat string `json:"chat_id"`
		Text string
		Mode *string `json:"parse_mode"`
	}
	telegram := seen["/bot123:ABC/sendMessage"]
	if err := json.Unmarshal(telegram.body, &m); err != nil || m.Chat != "-100123" || m.Mode != nil || !strings.HasPrefix(m.Text, "[Home] Payouts are frozen\n\nThe sums differ.") {
		t.Errorf("Telegram was sent %s, %v", telegram.body, err)
	}
	b.awaitState(stateSent, 2)
}

// A receiver that fails is tried again, ever more seldom, and gets everything in one
// message when it is back.
func TestRetries(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	r.answers(status(http.StatusInternalServerError, "no such luck"))
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	r.next(t)
	b.eventually("the failure is noted", func(list []Delivery) bool {
		return list[0].Tries == 1 && list[0].Problem == "The receiver answered 500: no such luck." && list[0].State == stateWaiting
	})
	b.sleep(firstRetry - time.Second)
	b.look(func(s *Snapshot) { frozen(s); s.Disk = &Part{Bad: true, Reason: "Full."} })
	r.none(t)
	b.sleep(time.Second)
	r.next(t)
	b.eventually("the second failure is noted", func(list []Delivery) bool { return list[0].Tries == 2 })
	b.sleep(2*firstRetry - time.Second)
	r.none(t)
	b.sleep(2 * time.Minute)
	r.next(t)
	b.eventually("the third failure is noted", func(list []Delivery) bool { return list[len(list)-1].Tries == 3 })
	b.look(func(s *Snapshot) { frozen(s); s.Disk = &Part{Bad: true, Reason: "Full."} })
	r.answers(nil)
	b.sleep(4 * firstRetry)
	h := r.next(t).hook(t)
	if len(h.Alerts) != 2 || h.Title != "2 alerts" || !strings.Contains(h.Text, "Full.") || !strings.Contains(h.Text, "The sums differ.") {
		t.Errorf("hook %+v", h)
	}
	b.awaitState(stateSent, 2)
}

// After a day the news are dropped, and the log says why.
func TestGivesUpAfterADay(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	r.answers(status(http.StatusNotFound, ""))
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	tries := 0
	for tries < 60 {
		select {
		case <-r.got:
			tries++
			b.eventually("noted", func(list []Delivery) bool { return list[0].Tries == tries })
			if b.deliveries()[0].State == stateDropped {
				goto dropped
			}
			b.sleep(lastRetry)
		case <-time.After(patience):
			t.Fatal("it is not tried any more")
		}
	}
dropped:
	d := b.deliveries()[0]
	if d.State != stateDropped || d.Problem != "It was tried for a day and is not sent any more. The receiver answered 404 Not Found." || tries < 20 || tries > 35 {
		t.Errorf("after %d tries: %+v", tries, d)
	}
}

// What a receiver refuses for what it is does not keep back what follows.
func TestRefusedContent(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	r.answers(status(http.StatusRequestEntityTooLarge, "too large"))
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	for n := 1; n <= refusals; n++ {
		r.next(t)
		b.eventually("noted", func(list []Delivery) bool { return list[0].Tries == n })
		b.sleep(lastRetry)
	}
	b.awaitState(stateDropped, 1)
}

// A channel that hangs keeps nobody waiting: neither those who raise alerts nor the
// other channels.
func TestHangingChannel(t *testing.T) {
	b, r, good := newBench(t), newReceiver(t), newReceiver(t)
	release := make(chan struct{})
	r.answers(func(http.ResponseWriter, *http.Request) { <-release })
	t.Cleanup(func() { close(release) })
	b.channel(Channel{Kind: Webhook, Name: "hangs"}, Secret{URL: r.URL})
	b.channel(Channel{Kind: Webhook, Name: "works"}, Secret{URL: good.URL})
	b.run()
	b.look(frozen)
	r.next(t)
	good.next(t)
	b.awaitState(stateSent, 1)
	b.sleep(time.Minute)
	b.look(nil)
	b.sleep(2 * time.Minute)
	b.look(nil)
	good.next(t)
	b.awaitState(stateSent, 2)
	b.stop() // while one hangs
}

// A huge answer is read only in part, and does no harm.
func TestHugeAnswer(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
		for range 10 << 10 {
			if _, err := w.Write(bytes.Repeat([]byte("x"), 1<<10)); err != nil {
				return
			}
		}
	})
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	b.eventually("noted", func(list []Delivery) bool {
		return len(list) == 1 && strings.HasPrefix(list[0].Problem, "The receiver answered 418: xxx") && len(list[0].Problem) < 300
	})
}

// A redirect is not followed: the target of it was not chosen by the operators.
func TestRedirect(t *testing.T) {
	b, r, elsewhere := newBench(t), newReceiver(t), newReceiver(t)
	r.answers(func(w http.ResponseWriter, req *http.Request) {
		http.Redirect(w, req, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	b.eventually("noted", func(list []Delivery) bool { return strings.Contains(list[0].Problem, "307, which leads elsewhere") })
	elsewhere.none(t)
}

// Neither what a server says nor what the library says tells a secret.
func TestNoSecretIsTold(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.bell.config.Telegram = r.URL
	r.answers(func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "who is "+req.URL.Path+" with "+req.Header.Get("Authorization")+" "+req.RequestURI)
	})
	const token, hidden = "987:SECRET-token_x", "https://hooks.invalid./services/T0/B0/very%20secret"
	b.channel(Channel{Kind: Telegram, Target: Target{Chat: "1"}}, Secret{Token: token})
	b.channel(Channel{Kind: Ntfy, Target: Target{Server: r.URL, Topic: "pool"}}, Secret{Token: "tk_hidden/§"})
	b.channel(Channel{Kind: Webhook}, Secret{URL: hidden, Token: "signing"})
	b.run()
	b.look(frozen)
	b.eventually("all have failed", func(list []Delivery) bool {
		n := 0
		for _, d := range list {
			n += min(d.Tries, 1)
		}
		return n == 3
	})
	r.Close()
	b.sleep(time.Hour)
	b.eventually("all have failed once more", func(list []Delivery) bool {
		for _, d := range list {
			if d.Tries < 2 {
				return false
			}
		}
		return true
	})
	channels, err := b.bell.Channels(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	told := b.logs.String()
	for _, d := range b.deliveries() {
		told += d.Problem
	}
	for _, c := range channels {
		c.sealed = nil
		text, _ := json.Marshal(c)
		told += string(text)
	}
	for _, secret := range []string{"SECRET-token", "tk_hidden", "very", "signing", "services/T0"} {
		if strings.Contains(told, secret) {
			t.Errorf("%q is told: %s", secret, told)
		}
	}
}

// What was not sent when the box stopped is sent after its start, and an alert that was
// raised is not raised again.
func TestRestartInTheMiddle(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	path := b.bell.db.Path()
	release := make(chan struct{})
	r.answers(func(http.ResponseWriter, *http.Request) { <-release })
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	b.look(frozen)
	first := r.next(t).hook(t)
	b.stop() // while it is under way
	if err := b.bell.db.Close(); err != nil {
		t.Fatal(err)
	}
	close(release)

	b.open(path)
	r.answers(nil)
	b.run()
	again := r.next(t).hook(t)
	if len(again.Alerts) != 1 || again.Alerts[0].ID != first.Alerts[0].ID {
		t.Errorf("after the restart came %+v", again)
	}
	b.awaitState(stateSent, 1)
	b.sleep(time.Minute)
	b.look(frozen)
	b.sleep(time.Hour)
	b.look(frozen)
	if n := len(b.deliveries()); n != 1 {
		t.Errorf("%d deliveries", n)
	}
	b.look(nil)
	b.sleep(time.Minute)
	b.look(nil)
	if h := r.next(t).hook(t); h.Alerts[0].ID != first.Alerts[0].ID || h.Alerts[0].News != "over" {
		t.Errorf("the end: %+v", h)
	}
}

// At night only what is urgent comes; in the morning the rest, in one message.
func TestQuietHours(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.update(func(tx *sql.Tx) error {
		return b.bell.SetPolicy(t.Context(), tx, Policy{Quiet: true, From: 22 * 60, To: 7 * 60, Language: "zh-Hans"})
	})
	b.sleep(11 * time.Hour) // 23:00
	b.run()
	offline := func(s *Snapshot) { s.Mine.Workers[0].LastShare = b.clock().Add(-20 * time.Minute) }
	old := func(s *Snapshot) { s.Backup.Verified = b.clock().AddDate(0, 0, -9) }
	b.look(func(s *Snapshot) { offline(s); old(s) })
	b.sleep(2 * time.Minute)
	b.look(func(s *Snapshot) { offline(s); old(s); frozen(s) })
	h := r.next(t).hook(t)
	if len(h.Alerts) != 1 || h.Alerts[0].Type != LedgerFrozen || h.Title != "支付已冻结" {
		t.Errorf("at night came %+v", h)
	}
	b.awaitState(stateSent, 1)
	b.sleep(time.Hour)
	b.look(old) // the miner is back
	b.sleep(2 * time.Minute)
	b.look(old)
	b.awaitState(stateSent, 2) // and payouts are not frozen any more, which was urgent, too
	r.next(t)
	b.sleep(4 * time.Hour)
	r.none(t)
	b.sleep(3 * time.Hour)
	h = r.next(t).hook(t)
	if len(h.Alerts) != 2 {
		t.Fatalf("in the morning came %+v", h)
	}
	for _, a := range h.Alerts {
		if a.Type == WorkerOffline && a.News != "over" {
			t.Errorf("the miner is told to be %s", a.News)
		}
	}
}

func TestQuietUntil(t *testing.T) {
	day := Policy{Quiet: true, From: 60, To: 120}
	night := Policy{Quiet: true, From: 22 * 60, To: 7 * 60}
	for _, test := range []struct {
		p          Policy
		hour, want int // -1: not quiet
	}{
		{day, 0, -1},
		{day, 1, 1},
		{day, 2, -1},
		{night, 21, -1},
		{night, 22, 9},
		{night, 0, 7},
		{night, 6, 1},
		{night, 7, -1},
		{Policy{From: 0, To: 1439}, 5, -1},
	} {
		now := time.Date(2026, 11, 23, test.hour, 0, 0, 0, time.UTC)
		end, quiet := test.p.quietUntil(now)
		if got := int(end.Sub(now).Hours()); quiet != (test.want >= 0) || quiet && got != test.want {
			t.Errorf("%+v at %d: quiet %t for %d h, want %d", test.p, test.hour, quiet, got, test.want)
		}
	}
}

// A channel has no more messages an hour than it may; what is too much comes together.
func TestRateLimit(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook, PerHour: 2}, Secret{URL: r.URL})
	b.run()
	blocks := func(n int) func(s *Snapshot) {
		return func(s *Snapshot) {
			for i := range n {
				s.Books.Blocks = append(s.Books.Blocks, Block{Hash: string(rune('a' + i)), State: "found"})
			}
		}
	}
	b.look(nil)
	for i := 1; i <= 6; i++ {
		b.sleep(6 * time.Minute)
		b.look(blocks(i))
		if i <= 2 {
			r.next(t)
			b.awaitState(stateSent, i)
		}
	}
	b.awaitState(stateWaiting, 4)
	r.none(t)
	b.sleep(30 * time.Minute)
	h := r.next(t).hook(t)
	if len(h.Alerts) != 4 {
		t.Errorf("%d alerts came together, want 4", len(h.Alerts))
	}
}

// A hundred miners at once are one message, with not more lines than one can read.
func TestStormIsOneMessage(t *testing.T) {
	b, r := newBench(t), newReceiver(t)
	b.channel(Channel{Kind: Webhook}, Secret{URL: r.URL})
	b.run()
	storm := func(s *Snapshot) {
		s.Mine.Workers = nil
		for i := range 100 {
			s.Mine.Workers = append(s.Mine.Workers, Worker{Address: "bc1q" + strings.Repeat("z", i), Name: "rig", LastShare: s.At.Add(-15 * time.Minute)})
		}
	}
	b.look(storm)
	b.sleep(time.Minute)
	b.look(storm)
	h := r.next(t).hook(t)
	if len(h.Alerts) != 1 || h.Title != "100 miners are offline" || h.Alerts[0].Count != 100 || len(h.Alerts[0].Lines) != spelled+1 || len(h.Alerts[0].About) != listed {
		t.Errorf("hook %+v", h)
	}
	b.awaitState(stateSent, 1)
	for range 20 {
		b.sleep(time.Minute)
		b.look(storm)
	}
	if n := len(b.deliveries()); n != 1 {
		t.Errorf("%d deliveries", n)
	}
}

// A rule tells the channels that it was told to tell, and no others.
func TestRuleAndChannel(t *testing.T) {
	b, r, other := newBench(t), newReceiver(t), newReceiver(t)
	first := b.channel(Channel{Kind: Webhook, Name: "one"}, Secret{URL: r.URL})
	b.channel(Channel{Kind: Webhook, Name: "two"}, Secret{URL: other.URL})
	b.update(func(tx *sql.Tx) error {
		kind, _ := KindOf(LedgerFrozen)
		rule := kind.Default
		rule.Channels, rule.Name = []int64{first}, "My money"
		_, err := b.bell.SetRule(t.Context(), tx, rule)
		return err
	})
	b.run()
	b.look(frozen)
	if h := r.next(t).hook(t); h.Title != "My money: Payouts are frozen" {
		t.Errorf("title %q", h.Title)
	}
	b.awaitState(stateSent, 1)
	other.none(t)
}
