package webui

import (
	"net/http"

	"github.com/dmpool/dmpool/appliance"
)

// setupHelpView fills templates/setup_help.html: what people ask who set a box up, as
// setup_help.q.NAME and setup_help.a.NAME name it.
type setupHelpView struct {
	*setupView

	Questions []string
}

// help answers anybody in the home network, with or without the claim code: it is
// the code that most of them look for. It leads back to where it was asked for.
func (p *setup) help(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := p.frame(r, r.FormValue("from"))
	if err != nil {
		return err
	}
	if !v.open(v.Step) {
		if v, err = p.frame(r, appliance.StepWelcome); err != nil {
			return err
		}
	}
	p.show(w, r, who, http.StatusOK, "setup_help", setupHelpView{v, []string{
		"code", "browser", "stop", "back", "network", "node", "wallet", "phone", "warning", "file", "over",
	}})
	return nil
}
