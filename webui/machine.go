package webui

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/alert"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/payout"
	"github.com/dmpool/dmpool/pool/shares"
)

// New returns two handlers of a box: all its pages with the API, and the public
// part of the API alone, for a port that strangers may reach. They share their
// limits. New starts nothing; live pages end with their request's context, so the
// server that serves them ends them by ending its BaseContext.
func New(a *appliance.Appliance, o Options) (all, public http.Handler, err error) {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	s, err := makeSite(&machine{box: a, log: o.Logger}, a.DB(), o)
	if err != nil {
		return nil, nil, err
	}
	return s.guarded(s.register()), s.guarded(s.publicAPI()), nil
}

// machine answers for the appliance in the words of the pages. The files
// machine_*.go hold its parts.
type machine struct {
	box *appliance.Appliance
	log *slog.Logger

	health recent[health]
	node   recent[appliance.NodeStatus]
	wallet recent[appliance.WalletStatus]
	window recent[window]
	sizes  recent[appliance.BoxStatus]
	mining recent[mining]
	told   recent[told]
	trial  lastTrial

	receipts receiptCache
	reached  answers[string, reached]
	charts   answers[shares.Query, []point]
}

// recent keeps an answer of the node for a moment. Many pages may be open, and
// a node that hangs should be asked once, not once for each of them.
type recent[T any] struct {
	mu    sync.Mutex
	value T
	until time.Time
}

func (r *recent[T]) get(ttl time.Duration, ask func() T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Now().After(r.until) {
		r.value = ask()
		r.until = time.Now().Add(ttl)
	}
	return r.value
}

// forget has the next one ask again, after something was changed.
func (r *recent[T]) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = time.Time{}
}

const (
	nodeTTL      = time.Second
	nodeDeadline = 5 * time.Second
)

// patient is a context for an answer that several pages share: the one that
// asks may leave, and the answer still comes.
func patient(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), nodeDeadline)
}

func (m *machine) Identity() identity {
	return identity{Name: m.box.Settings().Name, Network: m.box.Network()}
}

func (m *machine) Addresses() []string { return m.box.Addresses() }

func (m *machine) Changes() (<-chan event, func()) { return m.box.Subscribe() }

func (m *machine) Health(ctx context.Context) health {
	return m.health.get(nodeTTL, func() health {
		ctx, cancel := patient(ctx)
		defer cancel()
		h := m.box.Health(ctx)
		v := health{Status: h.Status}
		for _, c := range h.Checks {
			v.Checks = append(v.Checks, check(c))
		}
		return v
	})
}

func (m *machine) nodeStatus(ctx context.Context) appliance.NodeStatus {
	return m.node.get(nodeTTL, func() appliance.NodeStatus {
		ctx, cancel := patient(ctx)
		defer cancel()
		return m.box.Node(ctx)
	})
}

func (m *machine) walletStatus(ctx context.Context) appliance.WalletStatus {
	return m.wallet.get(nodeTTL, func() appliance.WalletStatus {
		if m.box.Pool() == nil {
			return appliance.WalletStatus{}
		}
		ctx, cancel := patient(ctx)
		defer cancel()
		return m.box.Wallet(ctx)
	})
}

func (m *machine) Note(ctx context.Context, op operator, action, object, ip string) error {
	return asProblem(m.box.Audit(ctx, appliance.AuditEntry{Actor: op.Name, Action: action, Object: object, Result: "ok", IP: ip}))
}

// inVain writes an audit entry about what was tried and not done, if that is so.
// What was done is in the log already: it was written with it.
func (m *machine) inVain(ctx context.Context, op operator, action, object, ip string, outcome error) {
	if outcome == nil {
		return
	}
	err := m.box.Audit(ctx, appliance.AuditEntry{Actor: op.Name, Action: action, Object: object, Result: outcome.Error(), IP: ip})
	if err != nil {
		m.log.Error("Audit entry not written", "action", action, "err", err)
	}
}

// pool returns the running pool, or a problem while it starts.
func (m *machine) pool() (*pool.Pool, error) {
	if p := m.box.Pool(); p != nil {
		return p, nil
	}
	return nil, absent("The pool is starting.")
}

// asProblem finds the words for an error of the floors below.
func asProblem(err error) error {
	var throttle *appliance.ThrottledError
	var settings *appliance.SettingsError
	var wallet *appliance.WalletError
	var person *appliance.PersonError
	var core *appliance.CoreError
	var snapshot *appliance.SnapshotError
	var miner *appliance.MinerError
	var told *alert.Error
	var fire *appliance.DrillError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &throttle):
		return throttled(throttle.RetryAfter)
	case errors.Is(err, appliance.ErrLogin), errors.Is(err, appliance.ErrPassphrase):
		return &problem{Status: http.StatusUnauthorized, Code: codeWrongPassword, cause: err}
	case errors.Is(err, appliance.ErrNeedsFactor):
		return needsFactor()
	case errors.Is(err, appliance.ErrCode):
		return &problem{Status: http.StatusUnauthorized, Code: codeSecondStep, Detail: "Send a code of the second factor, too.", cause: err}
	case errors.Is(err, appliance.ErrNoJob), errors.Is(err, payout.ErrNotFound), errors.Is(err, ledger.ErrNotFound),
		errors.Is(err, appliance.ErrNoBan), errors.Is(err, appliance.ErrNoDevice), errors.Is(err, alert.ErrNotFound), errors.Is(err, appliance.ErrNoLink):
		return notFound()
	case errors.Is(err, payout.ErrStale), errors.Is(err, appliance.ErrSettingsChanged):
		return stale(err)
	case errors.Is(err, appliance.ErrNothingToRepair):
		return refused("The node has nothing to repair. Look at the node page again.")
	case errors.As(err, &core):
		return refused(asSentence(core))
	case errors.As(err, &snapshot):
		return refused(asSentence(snapshot))
	case errors.As(err, &wallet):
		return refused(wallet.Sentence)
	case errors.As(err, &settings):
		return refused(strings.Join(sentences(settings.Err), " "))
	case errors.As(err, &person):
		return refused(asSentence(person))
	case errors.As(err, &told):
		return refused(strings.Join(sentences(told.Err), " "))
	case errors.As(err, &miner):
		return refused(asSentence(miner))
	case errors.As(err, &fire):
		return refused(asSentence(fire))
	case errors.Is(err, payout.ErrExpired), errors.Is(err, payout.ErrFrozen), errors.Is(err, payout.ErrCap), errors.Is(err, payout.ErrNothingDue),
		errors.Is(err, payout.ErrHold), errors.Is(err, payout.ErrSweep), errors.Is(err, payout.ErrNothingOwn), errors.Is(err, payout.ErrExported), errors.Is(err, payout.ErrSecondPerson), errors.Is(err, payout.ErrNotNow):
		return refused(asSentence(err))
	}
	if errors.Is(err, appliance.ErrUnwritten) {
		return unwritten(err)
	}
	if sentence, ok := payout.Sentence(err); ok {
		return refused(sentence)
	}
	return fmt.Errorf("ask the appliance: %w", err)
}

// orNil is a float that is not known when it is zero.
func orNil(v float64) *float64 {
	if v == 0 {
		return nil
	}
	return &v
}

func (m *machine) StratumCertificate() (*x509.Certificate, error) { return m.box.StratumCertificate() }
