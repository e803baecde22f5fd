package webui

import (
	"errors"
	"net/http"

	"github.com/dmpool/dmpool/appliance"
)

// The second factor in the first set-up has the two halves that it has later: the
// secret and a code of it, then the recovery codes and one of them. The secret is
// shown until its code was right; the recovery codes are only ever in the answer to
// the form that made them.

// setupFactor is what that step shows.
type setupFactor struct {
	Scan  factorView
	Sheet codesView // recovery codes that were made just now
	Lost  bool      // the code that was typed is none of them
}

// factorOf gathers the step when it is asked for.
func (p *setup) factorOf(r *http.Request, v *setupView) error {
	v.Factor = &setupFactor{}
	if v.Draft.Factor.Confirmed {
		return nil
	}
	secret, err := p.wizard.FactorSecret(r.Context())
	if err != nil {
		return err
	}
	v.Factor.Scan.proposal = proposal{Secret: secret, URI: appliance.FactorURI(secret, v.Settings.Name, v.Draft.Operator.User)}
	return nil
}

// factor shows the step after a form of it was changed by change.
func (p *setup) factor(w http.ResponseWriter, r *http.Request, who caller, status int, change func(*setupFactor)) error {
	v, err := p.view(r, appliance.StepFactor)
	if err != nil {
		return err
	}
	if v.Factor == nil { // another tab has dropped it
		return p.onward(w, r)
	}
	change(v.Factor)
	p.show(w, r, who, status, "setup_"+appliance.StepFactor, v)
	return nil
}

// confirmFactor takes the first code of the app.
func (p *setup) confirmFactor(w http.ResponseWriter, r *http.Request, who caller) error {
	codes, err := p.wizard.ConfirmFactor(r.Context(), cut(r.PostFormValue("code"), 64))
	switch _, refused := errors.AsType[*appliance.PersonError](err); {
	case errors.Is(err, appliance.ErrLogin):
		return p.factor(w, r, who, http.StatusUnprocessableEntity, func(f *setupFactor) { f.Scan.Wrong = true })
	case refused: // it was confirmed already, by a second click
		return p.onward(w, r)
	case err != nil:
		return err
	}
	return p.showCodes(w, r, who, codes)
}

// renewCodes makes new recovery codes for who did not keep the ones before.
func (p *setup) renewCodes(w http.ResponseWriter, r *http.Request, who caller) error {
	codes, err := p.wizard.RenewFactorCodes(r.Context())
	if _, refused := errors.AsType[*appliance.PersonError](err); refused {
		return p.onward(w, r)
	}
	if err != nil {
		return err
	}
	return p.showCodes(w, r, who, codes)
}

func (p *setup) showCodes(w http.ResponseWriter, r *http.Request, who caller, codes []string) error {
	d, err := p.wizard.Draft(r.Context())
	if err != nil {
		return err
	}
	sheet := codesView{
		Codes: codes, Owner: d.Operator.User, Pool: d.Settings().Name, At: p.now(), File: "/setup/factor/file", Token: who.Token,
	}
	return p.factor(w, r, who, http.StatusOK, func(f *setupFactor) { f.Sheet = sheet })
}

// keptCodes ends the step when one of the codes that were shown is typed.
func (p *setup) keptCodes(w http.ResponseWriter, r *http.Request, who caller) error {
	err := p.wizard.KeepFactor(r.Context(), cut(r.PostFormValue("code"), 64))
	if errors.Is(err, appliance.ErrLogin) {
		return p.factor(w, r, who, http.StatusUnprocessableEntity, func(f *setupFactor) { f.Lost = true })
	}
	if err != nil {
		return err
	}
	return p.onward(w, r)
}

// codesFile is the sheet as a file.
func (p *setup) codesFile(w http.ResponseWriter, r *http.Request, _ caller) error {
	d, err := p.wizard.Draft(r.Context())
	if err != nil {
		return err
	}
	return p.giveCodes(w, r, d.Operator.User, d.Settings().Name)
}

// newFactor begins again, for a phone that has lost what it was shown.
func (p *setup) newFactor(w http.ResponseWriter, r *http.Request, _ caller) error {
	if err := p.wizard.RenewFactor(r.Context()); err != nil {
		return err
	}
	http.Redirect(w, r, "/setup/"+appliance.StepFactor, http.StatusSeeOther)
	return nil
}

// noFactor goes on without one.
func (p *setup) noFactor(w http.ResponseWriter, r *http.Request, _ caller) error {
	if err := p.wizard.WantFactor(r.Context(), false); err != nil {
		return err
	}
	return p.onward(w, r)
}
