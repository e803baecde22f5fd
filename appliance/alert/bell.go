package alert

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/dmpool/dmpool/pool/sqlite"
)

// Config is what a bell needs of its box.
type Config struct {
	DB       *sqlite.DB            // with the tables of alerts
	Box      func() (name string)  // as its pages call it
	Zone     func() *time.Location // in which people read times
	Language string                // of messages, until the operators choose

	// Say puts an English sentence of the box into another language; nil: it stays.
	Say func(language, sentence string) string

	// Seal makes a secret unreadable for who has only the database, bound to its
	// owner; Open is the way back.
	Seal, Open func(owner string, secret []byte) ([]byte, error)

	Changed  func() // is called when there is something new to see
	Telegram string // URL of its API; empty: the public one
	Logger   *slog.Logger

	now   func() time.Time // of tests
	roots *x509.CertPool   // of tests
}

// Bell raises alerts and has them told. Make one with [New]; it is safe for concurrent
// use.
type Bell struct {
	config Config
	db     *sqlite.DB
	words  Phrases
	client *http.Client
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex // one look at a time
	watches map[string]*watch
	loaded  bool

	stir chan struct{} // a value when there may be something to send, or other channels
}

// New makes a bell. It starts nothing.
func New(c Config) (*Bell, error) {
	words, err := LoadPhrases()
	if err != nil {
		return nil, err
	}
	if c.now == nil {
		c.now = time.Now
	}
	if c.Telegram == "" {
		c.Telegram = "https://api.telegram.org"
	}
	if _, ok := words[c.Language]; !ok {
		c.Language = english
	}
	return &Bell{
		config: c, db: c.DB, words: words, client: newClient(), now: c.now, log: c.Logger,
		watches: map[string]*watch{}, stir: make(chan struct{}, 1),
	}, nil
}

// wake has the couriers look what there is to send.
func (b *Bell) wake() {
	select {
	case b.stir <- struct{}{}:
	default:
	}
}

// Refresh makes the bell see what has been changed in its tables: call it after the
// transaction of a change.
func (b *Bell) Refresh() {
	b.mu.Lock()
	b.loaded = false
	b.mu.Unlock()
	b.wake()
	b.config.Changed()
}

// Run sends what is to be sent until ctx ends, and waits for what is under way.
func (b *Bell) Run(ctx context.Context) {
	var couriers sync.WaitGroup
	defer couriers.Wait()
	crew := map[int64]*courier{}
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
	for {
		b.crew(ctx, crew, &couriers)
		select {
		case <-ctx.Done():
			return
		case <-b.stir:
		case <-prune.C:
			if err := b.prune(ctx); err != nil && ctx.Err() == nil {
				b.log.Warn("Old alerts not removed", "err", err)
			}
		}
	}
}

// crewRetry is how long the couriers wait when their channels cannot be read.
const crewRetry = 10 * time.Second

// crew gives each channel its courier, takes those of channels that are gone away, and
// wakes all others.
func (b *Bell) crew(ctx context.Context, crew map[int64]*courier, running *sync.WaitGroup) {
	channels, err := b.Channels(ctx)
	if err != nil {
		if ctx.Err() == nil {
			b.log.Error("Channels of alerts not read", "err", err)
			time.AfterFunc(crewRetry, b.wake)
		}
		return
	}
	there := map[int64]bool{}
	for _, c := range channels {
		there[c.ID] = c.Enabled
		if one := crew[c.ID]; one != nil || !c.Enabled {
			continue
		}
		own, stop := context.WithCancel(ctx)
		one := &courier{bell: b, channel: c.ID, woken: make(chan struct{}, 1), stop: stop}
		crew[c.ID] = one
		running.Go(func() { one.run(own) })
	}
	for id, one := range crew {
		if !there[id] {
			one.stop()
			delete(crew, id)
			continue
		}
		one.wake()
	}
}
