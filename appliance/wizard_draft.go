package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Draft is what the wizard knows so far. The secrets among the answers are left
// out of it.
type Draft struct {
	Answers

	Done          []string // steps that were answered, in their order
	HasPassword   bool
	HasPassphrase bool
	Factor        FactorDraft
	Failed        string // why the set-up did not come to its end, a sentence
}

// Steps returns the steps that these answers make necessary. Where each block pays
// its miner, and all of it, there is nothing to ask about a wallet.
func (d Draft) Steps() []string {
	steps := slices.DeleteFunc(WizardSteps(), func(step string) bool { return step == StepWallet && !d.needsWallet() })
	if d.Factor.Wanted {
		steps = slices.Insert(steps, 1+slices.Index(steps, StepOperator), StepFactor)
	}
	return steps
}

func (d Draft) needsWallet() bool { return d.Wallet.Restore || d.Settings().NeedsWallet() }

// Next returns the first step without an answer, "" when there is none.
func (d Draft) Next() string {
	for _, step := range d.Steps() {
		if !slices.Contains(d.Done, step) {
			return step
		}
	}
	return ""
}

// Private tells whether the chosen chain lives on this box alone.
func (d Draft) Private() bool { return privateNetwork(d.Network) }

// Settings are the pool's rules as the draft has them.
func (d Draft) Settings() pool.Settings { return d.Pool.settings(d.Network) }

// Draft returns what is known so far.
func (w *Wizard) Draft(ctx context.Context) (Draft, error) {
	d, err := w.read(ctx)
	if err != nil {
		return Draft{}, err
	}
	d.HasPassword, d.HasPassphrase = d.Operator.PasswordHash != "", d.Wallet.Passphrase != ""
	d.Operator.PasswordHash, d.Wallet.Passphrase, d.factor = "", "", nil
	return d, nil
}

// read returns the draft with its secrets.
func (w *Wizard) read(ctx context.Context) (Draft, error) {
	var d Draft
	network, err := w.dir.network()
	if err != nil {
		return d, err
	}
	d.Network = network
	rows, err := w.db.Reader().QueryContext(ctx, `SELECT step, state, payload, error FROM step`)
	if err != nil {
		return d, fmt.Errorf("read set-up: %w", err)
	}
	type row struct{ step, state, payload, problem string }
	all, err := sqlite.Collect(rows, func(r *sql.Rows) (one row, err error) {
		err = r.Scan(&one.step, &one.state, &one.payload, &one.problem)
		return one, err
	})
	if err != nil {
		return d, fmt.Errorf("read set-up: %w", err)
	}
	for _, s := range wizardSteps() {
		i := slices.IndexFunc(all, func(r row) bool { return r.step == s.name })
		if i < 0 {
			continue
		}
		var piece Answers
		if err := json.Unmarshal([]byte(all[i].payload), &piece); err != nil {
			return d, fmt.Errorf("decode set-up step %s: %w", s.name, err)
		}
		if !w.reveal(&piece.Wallet) {
			continue
		}
		s.take(&d.Answers, &piece)
		d.Done = append(d.Done, s.name)
	}
	if i := slices.IndexFunc(all, func(r row) bool { return r.step == stepFinish }); i >= 0 {
		d.Failed = all[i].problem
	}
	if d.factor, err = w.readFactor(ctx); err != nil || d.factor == nil {
		return d, err
	}
	d.Factor = FactorDraft{Wanted: true, Confirmed: d.factor.step > 0, Kept: d.factor.kept}
	if d.Factor.Kept {
		d.Done = append(d.Done, StepFactor)
	}
	return d, nil
}
