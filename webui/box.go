package webui

import (
	"context"
	"crypto/x509"
	"database/sql"
	"io"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/support"
	"github.com/dmpool/dmpool/pool"
)

// event is anything that may change what a page shows.
type event = pool.Event

// box is what the pages need of the appliance: one question per page, answered
// in the words of the page. Errors that a person may read are *problem.
type box interface {
	Identity() identity
	StratumCertificate() (*x509.Certificate, error)
	Addresses() []string // of this machine, for the Host header
	Health(ctx context.Context) health
	Changes() (events <-chan event, cancel func())

	Login(ctx context.Context, user, password, ip string) (op operator, since time.Time, err error)
	Reauthenticate(ctx context.Context, op operator, password, ip string) error
	ProvePassword(ctx context.Context, op operator, password, ip string) error
	InSession(ctx context.Context, id string) context.Context
	Note(ctx context.Context, op operator, action, object, ip string) error
	NoteIn(ctx context.Context, tx *sql.Tx, op operator, action, object, ip string) error

	Dashboard(ctx context.Context) (dashboardView, error)
	Hashrates(ctx context.Context, address string, from, to time.Time, step time.Duration) ([]point, error)
	Workers(ctx context.Context) ([]workerLine, error)
	Blocks(ctx context.Context, before int64, limit int) ([]blockLine, error)
	Efforts(ctx context.Context, before int64, limit int) (map[int64]float64, error) // of such blocks, by their ids
	Block(ctx context.Context, hash string) (blockView, error)
	Chances(ctx context.Context) luck

	Money(ctx context.Context) (moneyView, error)
	Owed(ctx context.Context) ([]owedLine, error)
	Payouts(ctx context.Context) ([]payoutLine, error)
	Payout(ctx context.Context, id int64) (payoutView, error)
	DraftPayout(ctx context.Context, op operator, key, ip string) (id int64, err error)
	ApprovePayout(ctx context.Context, a approval) error
	CancelPayout(ctx context.Context, id, rev int64, op operator, ip string) error
	Books(ctx context.Context) (booksView, error)
	CorrectBooks(ctx context.Context, c correction) (decided bool, err error)
	Exported(ctx context.Context, id, rev int64) (psbt string, err error)
	ImportPayout(ctx context.Context, f signedFile) error
	SetAccountRule(ctx context.Context, rule accountRule) error
	Adjustable(ctx context.Context, address string) (adjustView, error)
	AdjustAccount(ctx context.Context, a adjustment) (decided bool, err error)
	ChangePayout(ctx context.Context, c payoutChange) error
	UnlockWallet(ctx context.Context, passphrase string, op operator, ip string) error

	Settings(ctx context.Context) (now pool.Settings, rev int64, err error)
	ChangeSettings(ctx context.Context, rev int64, s pool.Settings, op operator, ip string) error

	People(ctx context.Context) ([]personLine, error)
	ChangePeople(ctx context.Context, c peopleChange) (since time.Time, err error)

	Node(ctx context.Context) nodeView
	trials
	GetCore(ctx context.Context, version string, op operator, ip string) error
	RepairNode(ctx context.Context, op operator, ip string) error
	StopCore(ctx context.Context, op operator, ip string) error
	UploadCore(ctx context.Context, file io.Reader, op operator, ip string) error
	Monitoring(ctx context.Context) (monitoringView, error)
	Upgraded(ctx context.Context) (before string, at time.Time, err error) // see [appliance.Appliance.Upgraded]
	Support(ctx context.Context, b *support.Bundle) error
	Jobs(ctx context.Context, only string) (jobsView, error)
	RunJob(ctx context.Context, name string, op operator, ip string) error
	Connect(ctx context.Context) connectView

	ParseAddress(text string) (canonical string, err error)
	Observer(ctx context.Context, address string) (observerView, error)
	Shares(ctx context.Context, address string, limit, offset int) (lines []shareLine, total int64, err error)
	Why(ctx context.Context, address string) (whyFacts, error)
	PaidTo(ctx context.Context, address string, limit, offset int) (lines []paidLine, total int64, err error)
	miners
	devices
	receipts
	snapshots
	purse
	figures
	backups
	factors
	auditLog
	fireDrills
	alarm
}

const (
	// codeWrongPassword marks the *problem of a name, password or code that is wrong.
	codeWrongPassword = "wrong-password"
	// codeSecondStep marks that of a password that is right and not enough.
	codeSecondStep = "code-needed"
)

// health is the state of the box: healthy, degraded or down, and why.
type health struct {
	Status string
	Checks []check
}

// check is one part of health: healthy, degraded or down.
type check struct {
	Name, Status, Reason, NextStep string
}

// Good counts the checks that are healthy.
func (h health) Good() int {
	n := 0
	for _, c := range h.Checks {
		if c.Status == "healthy" {
			n++
		}
	}
	return n
}

// Strip is what the dashboard shows: the parts that are looked at every day, and
// whatever is not well.
func (h health) Strip() (list []check) {
	for _, c := range h.Checks {
		if c.Status != "healthy" || slices.Contains([]string{"node", "stratum", "wallet", "ledger", "backup", "disk"}, c.Name) {
			list = append(list, c)
		}
	}
	return list
}

// rates are mean hash rates in hashes per second; nil is not known.
type rates struct{ M10, H1, H24, D7 *float64 }

// bests are the best shares as difficulties; nil is not known.
type bests struct {
	Session, Round, Ever *float64
	EverAt               time.Time
}
