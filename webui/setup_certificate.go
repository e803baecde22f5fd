package webui

import (
	"errors"
	"net/http"

	"github.com/dmpool/dmpool/appliance"
)

// importCertificate takes the operator's certificate at the step about access. What
// is typed there is sent by another form, so that step is not answered by it.
func (p *setup) importCertificate(w http.ResponseWriter, r *http.Request, who caller) error {
	if p.https == nil || p.https.Keeper == nil {
		return notFound()
	}
	err := p.takeCertificate(r)
	refusal, refused := errors.AsType[*appliance.PersonError](err)
	if err != nil && !refused {
		return err
	}
	if !refused {
		return toCertificate(w, r)
	}
	v, err := p.view(r, appliance.StepAccess)
	if err != nil {
		return err
	}
	if !v.open(v.Step) {
		return p.onward(w, r)
	}
	v.Problems = sentences(refusal.Err)
	return p.again(w, r, who, "setup_"+appliance.StepAccess, v)
}

// ownCertificate goes back to one that the box makes.
func (p *setup) ownCertificate(w http.ResponseWriter, r *http.Request, _ caller) error {
	if p.https == nil || p.https.Keeper == nil {
		return notFound()
	}
	if err := p.https.Keeper.Renew(); err != nil {
		return err
	}
	return toCertificate(w, r)
}

func toCertificate(w http.ResponseWriter, r *http.Request) error {
	http.Redirect(w, r, "/setup/"+appliance.StepAccess+"#https-h", http.StatusSeeOther)
	return nil
}
