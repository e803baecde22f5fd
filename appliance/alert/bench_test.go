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
