package webui

import (
	"errors"
	"net/http"

	"github.com/dmpool/dmpool/appliance"
)

// While Bitcoin Core arrives the set-up goes on: each page says how far it is, and a
// page of its own takes orders. That page belongs to the step of the node.

// core shows how far Bitcoin Core is, and how to get it.
func (p *setup) core(w http.ResponseWriter, r *http.Request, who caller) error {
	return p.showCore(w, r, who, nil)
}

// showCore shows the page after an order that was refused with err, or none.
func (p *setup) showCore(w http.ResponseWriter, r *http.Request, who caller, err error) error {
	v, status := (*setupView)(nil), http.StatusOK
	refusal, refused := errors.AsType[*appliance.PersonError](err)
	if err != nil && !refused {
		return err
	}
	if v, err = p.frame(r, appliance.StepNode); err != nil {
		return err
	}
	if !v.open(v.Step) {
		return p.begin(w, r, who)
	}
	if refused {
		status = http.StatusUnprocessableEntity
		if v.Core.State != appliance.CoreFailed { // which says the same
			v.Problems = sentences(refusal.Err)
		}
	}
	p.show(w, r, who, status, "setup_core", v)
	return nil
}

func (p *setup) getCore(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := p.wizard.GetCore(); err != nil {
		return p.showCore(w, r, who, err)
	}
	return toCore(w, r)
}

func (p *setup) stopCore(w http.ResponseWriter, r *http.Request, _ caller) error {
	p.wizard.StopCore()
	return toCore(w, r)
}

// uploadCore takes a release as a file. It is never in memory as a whole.
func (p *setup) uploadCore(w http.ResponseWriter, r *http.Request, who caller) error {
	file := receive(w, r)
	defer file.hear()
	if err := p.wizard.UploadCore(r.Context(), file); err != nil {
		file.hear()
		return p.showCore(w, r, who, err)
	}
	return toCore(w, r)
}

func toCore(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/setup/core", http.StatusSeeOther)
	return nil
}
