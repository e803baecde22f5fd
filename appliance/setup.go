package appliance

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // time zones of the answers, also on a box without them

	"github.com/alexedwards/argon2id"

	"github.com/dmpool/dmpool/pool"
)

// Answers are what the first set-up asks, by the [Wizard] or in a file. Only the
// operator's password has no default.
type Answers struct {
	Network  string         `json:"network"`
	Operator OperatorAnswer `json:"operator"`
	Node     nodeSettings   `json:"node"`
	Wallet   WalletAnswer   `json:"wallet"`
	Pool     PoolAnswer     `json:"pool"`
	TimeZone string         `json:"time_zone"`
	Language string         `json:"language"`

	// External says that somebody else runs the node (--node-url), so that its
	// chain needs no room here.
	External bool `json:"-"`

	nodeDisk string // a folder on the disk that the chain is going to lie on, empty: that of the data directory

	factor *keptFactor // of the operator, nil for none; only the wizard has one
}

// OperatorAnswer names the operator and the password.
type OperatorAnswer struct {
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	// PasswordHash is the argon2id hash of a password (PHC format) that was checked
	// when it was typed, in place of the password itself.
	PasswordHash string `json:"password_hash,omitempty"`
}

// WalletAnswer is how the pool's wallet is protected.
type WalletAnswer struct {
	// Passphrase encrypts the wallet. Without one the box makes its own.
	Passphrase string `json:"passphrase,omitempty"`
	// Unlock is "auto": the box keeps the passphrase, or "ask": the operator
	// types it after each start. Practice chains default to auto, others to ask.
	Unlock string `json:"unlock,omitempty"`
	// Words makes the wallet out of twelve words, which the wallet page shows once
	// to be written down; until that is done no work goes out. Without it the node
	// makes the keys at once, and the backup is a file.
	Words bool `json:"words,omitempty"`
	// Restore makes no wallet by itself: the wallet page takes the words, or the
	// copy, of an earlier one.
	Restore bool `json:"restore,omitempty"`
}

// PoolAnswer is the part of the pool's settings that the set-up asks for; what
// is nil keeps its default.
type PoolAnswer struct {
	Name         *string `json:"name,omitempty"`
	Settlement   *string `json:"settlement,omitempty"`
	FeeBps       *int64  `json:"fee_bps,omitempty"`
	WindowMilli  *int64  `json:"window_milli,omitempty"`
	MinPayoutSat *int64  `json:"min_payout_sat,omitempty"`
	MinOutputSat *int64  `json:"min_output_sat,omitempty"` // with the settlement "direct"
	SmallPort    *int    `json:"small_port,omitempty"`     // for the smallest devices, 0: none
	HighPort     *int    `json:"high_port,omitempty"`      // for rentals and proxies, 0: none
	TLSPort      *int    `json:"tls_port,omitempty"`       // with TLS, 0: none
	MaxSessions  *int    `json:"max_sessions,omitempty"`   // connections of miners at a time

	AdminFrom     *string `json:"admin_from,omitempty"`     // "private" or "anywhere": where operators may come from
	ObserverPages *bool   `json:"observer_pages,omitempty"` // whether strangers may look up a miner
}

var (
	// ErrSetUp says that the box has an operator already.
	ErrSetUp = errors.New("this box is set up already; change it in the web pages")

	operatorName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$`)
)

// ParseAnswers reads answers as JSON. A key that is not known is an error, so
// that a misspelt answer is not silently a default.
func ParseAnswers(r io.Reader) (Answers, error) {
	var a Answers
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil {
		return Answers{}, fmt.Errorf("read answers: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Answers{}, errors.New("read answers: there is more than one JSON value")
	}
	return a, nil
}

// complete fills in the defaults and returns the settings that follow, or an
// error that joins a sentence for every answer that does not do.
func (a *Answers) complete(network string) (pool.Settings, error) {
	var errs []error
	a.Network = network
	if a.Operator.User == "" {
		a.Operator.User = "admin"
	}
	if err := checkName(a.Operator.User); err != nil {
		errs = append(errs, fmt.Errorf("operator.user %w", err))
	}
	if err := a.Operator.check(); err != nil {
		errs = append(errs, fmt.Errorf("operator.%w", err))
	}
	if err := a.Node.External.check(); err != nil {
		errs = append(errs, fmt.Errorf("node.external: %w", err))
	}
	if prune := a.Node.PruneMiB; prune != nil && *prune != 0 && *prune < 550 {
		errs = append(errs, fmt.Errorf("node.prune_mib %d is below 550, the least that the node can keep; 0 keeps all", *prune))
	}
	if a.Wallet.Unlock == "" {
		a.Wallet.Unlock = defaultUnlock(a.Network)
	}
	switch {
	case a.Wallet.Unlock != unlockAuto && a.Wallet.Unlock != unlockAsk:
		errs = append(errs, fmt.Errorf("wallet.unlock %q is neither \"auto\" nor \"ask\"", a.Wallet.Unlock))
	case a.Wallet.Unlock == unlockAsk && a.Wallet.Passphrase == "":
		errs = append(errs, errors.New("wallet.passphrase is needed, since the box is not to keep it"))
	case a.Wallet.Passphrase != strings.TrimSpace(a.Wallet.Passphrase):
		errs = append(errs, errors.New("wallet.passphrase begins or ends with a blank, which nobody sees when it is typed again"))
	}
	if a.TimeZone == "" {
		a.TimeZone = "UTC"
	}
	if a.Language == "" {
		a.Language = "en"
	}
	if a.Language != "en" && a.Language != "zh-Hans" {
		errs = append(errs, fmt.Errorf("language %q is not available; this version speaks \"en\" and \"zh-Hans\"", a.Language))
	}
	s := a.Pool.settings(a.Network)
	s.TimeZone = a.TimeZone
	if err := s.Validate(); err != nil {
		errs = append(errs, err)
	}
	return s, errors.Join(errs...)
}

// check returns what is wrong with the password, or with the hash in its place.
func (o OperatorAnswer) check() error {
	if o.PasswordHash == "" || o.Password != "" {
		return CheckPassword(o.Password, o.User)
	}
	if _, _, _, err := argon2id.DecodeHash(o.PasswordHash); err != nil {
		return fmt.Errorf("password_hash is no argon2id hash in PHC format: %w", err)
	}
	return nil
}

// hash returns the hash to store.
func (o OperatorAnswer) hash() (string, error) {
	if o.Password == "" {
		return o.PasswordHash, nil
	}
	return HashPassword(o.Password)
}

// settings are the answers over the defaults of a network.
func (p PoolAnswer) settings(network string) pool.Settings {
	s := pool.DefaultSettings(network)
	set(&s.Name, p.Name)
	set(&s.Settlement, p.Settlement)
	set(&s.FeeBps, p.FeeBps)
	set(&s.WindowMilli, p.WindowMilli)
	set(&s.MinPayoutSat, p.MinPayoutSat)
	set(&s.MinOutputSat, p.MinOutputSat)
	set(&s.SmallPort, p.SmallPort)
	set(&s.HighPort, p.HighPort)
	set(&s.TLSPort, p.TLSPort)
	set(&s.MaxSessions, p.MaxSessions)
	set(&s.AdminFrom, p.AdminFrom)
	set(&s.ObserverPages, p.ObserverPages)
	return s
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

// SwitchAndSetUp is SetUp for a data directory that may be used with another
// network until now; no daemon may run with it. All that belongs to the old
// network stays where it is.
func SwitchAndSetUp(ctx context.Context, dir string, a Answers) error {
	d := dataDir{dir}
	old, err := d.network()
	if err != nil {
		return err
	}
	if old == "" || a.Network == "" || old == a.Network {
		return SetUp(ctx, dir, a)
	}
	if err := knownNetwork(a.Network); err != nil {
		return err
	}
	if err := d.switchTo(a.Network); err != nil {
		return err
	}
	err = SetUp(ctx, dir, a)
	if err == nil || errors.Is(err, ErrSetUp) { // it was set up at an earlier visit
		return nil
	}
	return errors.Join(err, d.switchTo(old))
}

// SetUp answers the first set-up of the data directory, whether or not a daemon
// runs with it; a waiting daemon goes on by itself. It returns [ErrSetUp] when
// there is an operator already, and changes nothing then. It is the only way to
// the first operator, and one goes through it at a time.
func SetUp(ctx context.Context, dir string, a Answers) error {
	d := dataDir{dir}
	network, err := d.wished(a.Network)
	if err != nil {
		return err
	}
	settings, err := a.complete(network)
	if err != nil {
		return fmt.Errorf("set-up answers: %w", err)
	}
	hash, err := a.Operator.hash()
	if err != nil {
		return err
	}
	turn, err := d.turn()
	if err != nil {
		return err
	}
	defer turn.Close()
	if err := d.mayUse(ctx, network); err != nil {
		return err
	}
	if err := d.prepare(network); err != nil {
		return err
	}
	if !a.External && !a.Node.External.named() {
		if err := planFor(network, cmp.Or(a.nodeDisk, d.of(network))); err != nil {
			return err
		}
	}
	return d.setUp(ctx, a, settings, hash)
}

// setUp writes the answers. The caller has its turn.
func (d dataDir) setUp(ctx context.Context, a Answers, settings pool.Settings, hash string) error {
	network := a.Network
	db, err := d.openLedger(ctx, network)
	if err != nil {
		return err
	}
	defer db.Close()
	// The network comes first: without it the next start takes the default one,
	// in which there is no operator.
	if err := d.setNetwork(network); err != nil {
		return err
	}
	// Then the passphrase file: a set-up without its passphrase could
	// never open its wallet. A file without a set-up is written over next time.
	write := func(tx *sql.Tx) error {
		if done, err := hasOperator(ctx, tx); err != nil || done {
			return errors.Join(err, when(done, ErrSetUp))
		}
		if err := keepPassphrase(d, network, a.Wallet); err != nil {
			return err
		}
		op, err := writeSetUp(ctx, tx, a, settings, hash)
		if err != nil || a.factor == nil {
			return err
		}
		key, err := sealKey(d.sealKey(network), true)
		if err != nil {
			return err
		}
		return a.factor.adopt(ctx, tx, key, op, time.Now())
	}
	return db.Update(ctx, write)
}

// wished returns the network that a set-up is for: the one that is wished for, else
// the directory's own, else practice.
func (d dataDir) wished(network string) (string, error) {
	if network == "" {
		return d.chosenNetwork("")
	}
	return network, knownNetwork(network)
}

// mayUse returns why a directory is not for a network: once it was set up on one,
// it does not change to another in passing. The caller has its turn.
func (d dataDir) mayUse(ctx context.Context, network string) error {
	now, err := d.network()
	if err != nil || now == "" || now == network {
		return err
	}
	used, err := d.hasOperator(ctx, now)
	if err == nil && used {
		err = fmt.Errorf("set-up answers: this data directory is used with network %s; switch it with --switch-network, which keeps all data of %s, or answer %s with another --data-dir", now, now, network)
	}
	return err
}

func writeSetUp(ctx context.Context, tx *sql.Tx, a Answers, settings pool.Settings, hash string) (op Operator, err error) {
	now := time.Now()
	values := []struct {
		key   string
		value any
	}{
		{settingPool, settings},
		{settingNode, a.Node},
		{settingWallet, walletSettings{Name: walletName(a.Network, 1), Unlock: a.Wallet.Unlock, Words: a.Wallet.Words || a.Wallet.Restore}},
		{settingDisplay, displaySettings{Language: a.Language}},
	}
	for _, v := range values {
		if err := writeSetting(ctx, tx, v.key, v.value, now); err != nil {
			return op, err
		}
	}
	// The step is unique: of two set-ups at a time one gets an error here.
	if _, err := tx.ExecContext(ctx, `INSERT INTO setup (step, detail, done_at) VALUES ('answers', ?, ?)`,
		a.Network, now.UnixMilli()); err != nil {
		return op, fmt.Errorf("write set-up step: %w", err)
	}
	op.Name = a.Operator.User
	err = tx.QueryRowContext(ctx, `
		INSERT INTO operator (name, password_hash, created_at, updated_at, access_at) VALUES (?1, ?2, ?3, ?3, ?3) RETURNING id`,
		op.Name, hash, now.UnixMilli()).Scan(&op.ID)
	if err != nil {
		return op, fmt.Errorf("write operator: %w", err)
	}
	return op, writeAudit(ctx, tx, AuditEntry{
		At: now, Actor: a.Operator.User, Action: "setup", Result: "ok",
		Detail: map[string]string{"network": a.Network, "settlement": settings.Settlement},
	})
}

// queryer is what a database and a transaction have in common.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// hasOperator tells whether the box is set up: the state is derived from the
// operator's row, there is no flag that could open the set-up again.
func hasOperator(ctx context.Context, q queryer) (bool, error) {
	var n int
	if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM operator`).Scan(&n); err != nil {
		return false, fmt.Errorf("read operators: %w", err)
	}
	return n > 0, nil
}

func when(cond bool, err error) error {
	if cond {
		return err
	}
	return nil
}
