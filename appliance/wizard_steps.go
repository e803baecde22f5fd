package appliance

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/renameio/v2"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// The steps of the set-up, in their order. Each is one form.
const (
	StepWelcome  = "welcome"  // the claim code, the language
	StepStart    = "start"    // a new wallet, or an earlier one
	StepOperator = "operator" // name and password
	StepCheck    = "check"    // what the box found out by itself
	StepNetwork  = "network"
	StepNode     = "node"
	StepRules    = "rules"
	StepWallet   = "wallet"
	StepAccess   = "access" // name of the pool, time zone, who may open the pages
)

// WizardSteps returns the names of all steps in their order.
func WizardSteps() (names []string) {
	for _, s := range wizardSteps() {
		names = append(names, s.name)
	}
	return names
}

// wizardStep is one step: which part of the answers it asks for, and what may be
// said there.
type wizardStep struct {
	name string
	take func(to, from *Answers) // copies the step's part
	// inherit fills in what a form leaves empty because it never gets it back: the
	// secrets of an earlier answer.
	inherit func(piece, old *Answers)
	// check judges the step's part in the light of all that is known, and brings it
	// into the shape in which it is kept. The error is for people.
	check func(w *Wizard, ctx context.Context, a *Answers) error
}

func wizardSteps() []wizardStep {
	nothing := func(_, _ *Answers) {}
	fine := func(*Wizard, context.Context, *Answers) error { return nil }
	return []wizardStep{
		{StepWelcome, func(to, from *Answers) { to.Language = from.Language }, nothing, fine},
		{StepStart, func(to, from *Answers) { to.Wallet.Restore = from.Wallet.Restore }, nothing, fine},
		{
			StepOperator, func(to, from *Answers) { to.Operator = from.Operator },
			func(piece, old *Answers) {
				if piece.Operator.Password == "" {
					piece.Operator.PasswordHash = old.Operator.PasswordHash
				}
			}, (*Wizard).checkOperator,
		},
		{StepCheck, nothing, nothing, fine},
		{StepNetwork, func(to, from *Answers) { to.Network = from.Network }, nothing, (*Wizard).checkNetwork},
		{
			StepNode, func(to, from *Answers) { to.Node = from.Node },
			func(piece, old *Answers) {
				now, was := &piece.Node.External, old.Node.External
				if now.User != "" && now.Password == "" && now.User == was.User && now.URL == was.URL {
					now.PasswordFile = was.PasswordFile
				}
			}, (*Wizard).checkNode,
		},
		{
			StepRules, func(to, from *Answers) {
				to.Pool.Settlement, to.Pool.FeeBps = from.Pool.Settlement, from.Pool.FeeBps
				to.Pool.WindowMilli, to.Pool.MinPayoutSat = from.Pool.WindowMilli, from.Pool.MinPayoutSat
			}, nothing, func(_ *Wizard, _ context.Context, a *Answers) error { return a.Pool.settings(a.Network).Validate() },
		},
		{
			StepWallet, func(to, from *Answers) {
				to.Wallet.Words, to.Wallet.Unlock, to.Wallet.Passphrase = from.Wallet.Words, from.Wallet.Unlock, from.Wallet.Passphrase
			},
			func(piece, old *Answers) {
				if piece.Wallet.Passphrase == "" && piece.Wallet.Unlock == unlockAsk {
					piece.Wallet.Passphrase = old.Wallet.Passphrase
				}
			}, (*Wizard).checkWallet,
		},
		{
			StepAccess, func(to, from *Answers) {
				to.Pool.Name, to.TimeZone = from.Pool.Name, from.TimeZone
				to.Pool.AdminFrom, to.Pool.ObserverPages = from.Pool.AdminFrom, from.Pool.ObserverPages
			},
			nothing, (*Wizard).checkAccess,
		},
	}
}

func (w *Wizard) checkOperator(_ context.Context, a *Answers) error {
	o := &a.Operator
	var errs []error
	if err := checkName(o.User); err != nil {
		errs = append(errs, fmt.Errorf("user name %w", err))
	}
	if o.Password == "" && o.PasswordHash != "" {
		return errors.Join(errs...)
	}
	if err := CheckPassword(o.Password, o.User); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return errors.Join(errs...)
	}
	hash, err := HashPassword(o.Password)
	if err != nil {
		return err
	}
	o.Password, o.PasswordHash = "", hash
	return nil
}

// checkNetwork also forgets the answers that another network makes void.
func (w *Wizard) checkNetwork(ctx context.Context, a *Answers) error {
	if err := knownNetwork(a.Network); err != nil {
		return err
	}
	used, err := w.dir.isSetUp(ctx, a.Network)
	if err != nil {
		return err
	}
	if used {
		return fmt.Errorf("this box was set up on the network %s before. Stop it and run dmpool setup --switch-network to go back there; nothing of it was lost", a.Network)
	}
	if err := w.dir.prepare(a.Network); err != nil {
		return err
	}
	if !w.config.External.named() && !a.Node.External.named() {
		if err := planFor(a.Network, w.config.nodeDisk(w.dir, a.Network)); err != nil {
			return err
		}
	}
	was, err := w.read(ctx)
	if err != nil || was.Network == a.Network && slices.Contains(was.Done, StepNetwork) {
		return err
	}
	return w.db.Update(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM step WHERE step IN (?, ?)`, StepNode, StepWallet); err != nil {
			return fmt.Errorf("forget what another network makes void: %w", err)
		}
		return nil
	})
}

// leastKept is the least that a node can keep, in MiB.
const leastKept = 550

func (w *Wizard) checkNode(ctx context.Context, a *Answers) error {
	n := &a.Node.External
	if !n.named() {
		if p := a.Node.PruneMiB; p != nil && *p != 0 && *p < leastKept {
			return fmt.Errorf("the node cannot keep less than %d MiB of blocks", leastKept)
		}
		return planFor(a.Network, w.config.nodeDisk(w.dir, a.Network))
	}
	a.Node.PruneMiB, a.Node.Download = nil, false
	test := w.TestNode(ctx, a.Network, *n)
	if !test.OK {
		return errors.New(strings.TrimSuffix(test.Problem, ".")) // the pages end it again
	}
	if n.Password != "" {
		if err := renameio.WriteFile(w.dir.nodePassword(), []byte(n.Password+"\n"), 0o600); err != nil {
			return fmt.Errorf("keep the node's password: %w", err)
		}
		n.Password, n.PasswordFile = "", w.dir.nodePassword()
	}
	return n.check()
}

// leastPassphrase is how many characters a typed passphrase has at least.
const leastPassphrase = 10

func (w *Wizard) checkWallet(_ context.Context, a *Answers) error {
	p := &a.Wallet
	if p.Restore {
		p.Words = true
	}
	if p.Unlock == unlockAuto {
		p.Passphrase = ""
		return nil
	}
	switch {
	case p.Unlock != unlockAsk:
		return errors.New("choose who keeps the passphrase of the wallet")
	case p.Passphrase != strings.TrimSpace(p.Passphrase):
		return errors.New("the passphrase begins or ends with a blank, which nobody sees when it is typed again")
	case utf8.RuneCountInString(p.Passphrase) < leastPassphrase:
		return fmt.Errorf("the passphrase is too short; give it at least %d characters", leastPassphrase)
	}
	return nil
}

func (w *Wizard) checkAccess(_ context.Context, a *Answers) error {
	if a.Pool.Name != nil && strings.TrimSpace(*a.Pool.Name) == "" {
		return errors.New("the pool needs a name")
	}
	if _, err := time.LoadLocation(a.TimeZone); err != nil || a.TimeZone == "" {
		return fmt.Errorf("the time zone %q is not known; choose one of the list", a.TimeZone)
	}
	return a.Pool.settings(a.Network).Validate()
}

// Recommended is how much of the chain the node would keep on this machine if
// nobody chose otherwise, in MiB; 0 is all. The error says why none fits.
func (w *Wizard) Recommended(network string) (pruneMiB int, err error) {
	if err := w.dir.prepare(network); err != nil {
		return 0, err
	}
	machine, err := bitcoind.Survey(w.config.nodeDisk(w.dir, network))
	if err != nil {
		return 0, err
	}
	plan, err := bitcoind.Decide(network, machine)
	return plan.PruneMiB, err
}
