package webui

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
)

// NewSetup returns the pages of a box that is not set up yet: the wizard and
// nothing else. They are a handler of their own, so that none of their routes is
// left once the box has an operator; the server then goes on with [New]'s.
//
// Whoever asks must be in the home network, by the address of the socket and no
// header, and must have typed the claim code. One browser at a time holds the
// set-up, by a cookie of which the box keeps a hash.
func NewSetup(w *appliance.Wizard, o Options) (http.Handler, error) {
	o.Proxies = nil // no header says where anybody comes from
	s, err := makeSite(unborn{wizard: w}, nil, o)
	if err != nil {
		return nil, err
	}
	p := &setup{site: s, wizard: w}
	mux := s.table(p.routes(), func(route) bool { return true })
	mux.HandleFunc("/", p.elsewhere)
	return s.guarded(mux), nil
}

// setup is the wizard's handler.
type setup struct {
	*site
	wizard *appliance.Wizard
}

// unborn is the box before its set-up: it has a name and addresses. None of the
// wizard's routes asks for more.
type unborn struct {
	box
	wizard *appliance.Wizard
}

func (unborn) Identity() identity    { return identity{Name: "DMPool", New: true} }
func (unborn) Rules() pool.Settings  { return pool.DefaultSettings("") }
func (b unborn) Addresses() []string { return b.wizard.Addresses() }

// routes is everything that a box without an operator answers. There are no
// sessions yet, so all of them are early.
func (p *setup) routes() []route {
	const early = true
	pages, none := p.limits.pages, p.limits.none
	return []route{
		{"GET /setup", anyone, pages, early, p.near(p.begin)},
		{"GET /setup/help", anyone, pages, early, p.near(p.help)},
		{"GET /setup/" + appliance.StepWelcome, anyone, pages, early, p.near(p.greet)},
		{"GET /setup/{step}", anyone, pages, early, p.near(p.holding(p.ask))},
		{"POST /setup/" + appliance.StepWelcome, anyone, pages, early, p.near(p.claim)},
		{"POST /setup/certificate", anyone, pages, early, p.near(p.held(p.importCertificate))},
		{"POST /setup/certificate/own", anyone, pages, early, p.near(p.held(p.ownCertificate))},
		{"GET " + pageCertificatePath, anyone, pages, early, p.near(p.pageCertificate)},
		{"GET /setup/core", anyone, pages, early, p.near(p.holding(p.core))},
		{"POST /setup/core", anyone, pages, early, p.near(p.held(p.getCore))},
		{"POST /setup/core/stop", anyone, pages, early, p.near(p.held(p.stopCore))},
		{"POST " + setupUploadPath, anyone, pages, early, p.near(p.held(p.uploadCore))},
		{"GET /setup/restore", anyone, pages, early, p.near(p.holding(p.restore))},
		{"POST " + setupRestorePath, anyone, pages, early, p.near(p.held(p.uploadBackup))},
		{"POST /setup/restore/take", anyone, pages, early, p.near(p.held(p.takeBackup))},
		{"POST /setup/restore/drop", anyone, pages, early, p.near(p.held(p.dropBackup))},
		{"POST /setup/" + appliance.StepFactor, anyone, pages, early, p.near(p.held(p.confirmFactor))},
		{"POST /setup/factor/codes", anyone, pages, early, p.near(p.held(p.renewCodes))},
		{"POST /setup/factor/file", anyone, pages, early, p.near(p.held(p.codesFile))},
		{"POST /setup/factor/kept", anyone, pages, early, p.near(p.held(p.keptCodes))},
		{"POST /setup/factor/anew", anyone, pages, early, p.near(p.held(p.newFactor))},
		{"POST /setup/factor/skip", anyone, pages, early, p.near(p.held(p.noFactor))},
		{"POST /setup/" + stepReview, anyone, pages, early, p.near(p.held(p.finish))},
		{"POST /setup/{step}", anyone, pages, early, p.near(p.held(p.answer))},

		{"POST /look", anyone, pages, early, p.changeLook},
		{"GET /api/health", anyone, p.limits.api, early, p.health},
		{"GET /static/{hash}/{file}", anyone, none, early, p.static},
		{"GET /favicon.ico", anyone, none, early, p.favicon},
		{"GET /robots.txt", anyone, none, early, p.robots},
	}
}

// elsewhere leads everybody who asks for another page to the wizard.
func (p *setup) elsewhere(w http.ResponseWriter, r *http.Request) {
	if left := p.limits.pages.take(remoteIP(r)); left.Wait > 0 {
		p.fail(w, r, caller{}, throttled(left.Wait))
		return
	}
	switch {
	case isAPI(r):
		p.fail(w, r, caller{}, absent("The pool is not set up yet. Open "+p.wizard.Address()+"/setup in a browser."))
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		http.Redirect(w, r, "/setup", http.StatusSeeOther)
	default:
		p.fail(w, r, caller{}, notFound())
	}
}

// health is /api/health of a box that does nothing yet, with the way on.
func (p *setup) health(w http.ResponseWriter, r *http.Request, _ caller) error {
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, r, http.StatusServiceUnavailable, healthJSON{
		Service: "dmpool", Status: "down",
		Checks: map[string]checkJSON{"setup": {
			Status: "down", Reason: "The pool is not set up yet.",
			NextStep: "Open " + p.wizard.Address() + "/setup in a browser; dmpool claim-code prints the code that it asks for.",
		}},
	})
}

// near lets people in the home network pass, and this machine itself under any of
// its addresses.
func (p *setup) near(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		w.Header().Set("Cache-Control", "no-store")
		if !p.isNear(who.IP) {
			p.show(w, r, who, http.StatusForbidden, "setup_away", nil)
			return nil
		}
		return next(w, r, who)
	}
}

// setupCookie holds the secret of the browser that holds the set-up.
const setupCookie = "pool_setup"

// holder returns the secret of the browser if it holds the set-up, else "".
func (p *setup) holder(r *http.Request) (string, error) {
	secret, ok := cookieOf(r, setupCookie)
	if !ok {
		return "", nil
	}
	holds, err := p.wizard.Holds(r.Context(), secret)
	if err != nil || !holds {
		return "", err
	}
	return secret, nil
}

// setupToken is the form token of a browser that holds the set-up. It follows
// from the browser's secret, so a form that is open over a restart still counts.
func setupToken(secret string) string {
	sum := sha256.Sum256([]byte("dmpool set-up form " + secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// held lets only the browser pass that holds the set-up, and only its own forms.
func (p *setup) held(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		secret, err := p.holder(r)
		if err != nil {
			return err
		}
		if secret == "" {
			return p.welcome(w, r, who, http.StatusForbidden, welcomeLost)
		}
		who.Token = setupToken(secret)
		if !provesForm(r, who) {
			return &problem{Status: http.StatusForbidden, Code: "form-token"}
		}
		return next(w, r, who)
	}
}

// holding lets only the browser look that holds the set-up.
func (p *setup) holding(next handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		secret, err := p.holder(r)
		if err != nil {
			return err
		}
		if secret == "" {
			http.Redirect(w, r, "/setup/"+appliance.StepWelcome, http.StatusSeeOther)
			return nil
		}
		who.Token = setupToken(secret)
		return next(w, r, who)
	}
}

// begin leads to where the set-up stands.
func (p *setup) begin(w http.ResponseWriter, r *http.Request, _ caller) error {
	secret, err := p.holder(r)
	if err != nil {
		return err
	}
	step := appliance.StepWelcome
	if secret != "" {
		if step, err = p.next(r.Context()); err != nil {
			return err
		}
	}
	http.Redirect(w, r, "/setup/"+step, http.StatusSeeOther)
	return nil
}

// next is the first step without an answer, and then the review of all.
func (p *setup) next(ctx context.Context) (string, error) {
	d, err := p.wizard.Draft(ctx)
	if err != nil {
		return "", err
	}
	if step := d.Next(); step != "" {
		return step, nil
	}
	return stepReview, nil
}

// ask shows a step, unless one before it has no answer yet.
func (p *setup) ask(w http.ResponseWriter, r *http.Request, who caller) error {
	step := r.PathValue("step")
	v, err := p.view(r, step)
	if err != nil {
		return err
	}
	if !v.open(step) {
		return p.begin(w, r, who)
	}
	p.show(w, r, who, http.StatusOK, "setup_"+step, v)
	return nil
}

// greet shows the first page, to everybody in the home network.
func (p *setup) greet(w http.ResponseWriter, r *http.Request, who caller) error {
	return p.welcome(w, r, who, http.StatusOK, "")
}

// What can be wrong on the first page.
const (
	welcomeWrong = "wrong" // code
	welcomeLost  = "lost"  // another browser holds the set-up, or none
	welcomeWait  = "wait"  // too many codes
)

// welcome shows the first page; problem says what was wrong, if anything.
func (p *setup) welcome(w http.ResponseWriter, r *http.Request, who caller, status int, problem string) error {
	secret, err := p.holder(r)
	if err != nil {
		return err
	}
	v, err := p.view(r, appliance.StepWelcome)
	if err != nil {
		return err
	}
	v.Holds, v.Wrong = secret != "", problem
	if v.Holds {
		who.Token = setupToken(secret)
	}
	p.show(w, r, who, status, "setup_"+appliance.StepWelcome, v)
	return nil
}

// claim takes the claim code. The browser that has it right holds the set-up from
// then on, in the place of any other.
func (p *setup) claim(w http.ResponseWriter, r *http.Request, who caller) error {
	secret, err := p.holder(r)
	if err != nil {
		return err
	}
	if secret == "" {
		secret, err = p.wizard.Claim(r.Context(), cut(r.PostFormValue("code"), 64), who.IP.String())
		if throttle, ok := errors.AsType[*appliance.ThrottledError](err); ok {
			w.Header().Set("Retry-After", fmt.Sprint(seconds(throttle.RetryAfter)))
			return p.welcome(w, r, who, http.StatusTooManyRequests, welcomeWait)
		}
		if errors.Is(err, appliance.ErrClaim) {
			return p.welcome(w, r, who, http.StatusForbidden, welcomeWrong)
		}
		if err != nil {
			return err
		}
		http.SetCookie(w, newCookie(r, setupCookie, secret))
	}
	if err := p.wizard.Answer(r.Context(), appliance.StepWelcome, appliance.Answers{Language: p.lookOf(r).words.Lang}); err != nil {
		return err
	}
	return p.onward(w, r)
}

// onward leads to the next page.
func (p *setup) onward(w http.ResponseWriter, r *http.Request) error {
	step, err := p.next(r.Context())
	if err != nil {
		return err
	}
	http.Redirect(w, r, "/setup/"+step, http.StatusSeeOther)
	return nil
}

// answer keeps what a form says and leads on. What is wrong comes back with
// everything that was typed, but for the secrets.
func (p *setup) answer(w http.ResponseWriter, r *http.Request, who caller) error {
	step := r.PathValue("step")
	v, err := p.view(r, step)
	if err != nil {
		return err
	}
	if !v.open(step) || step == appliance.StepWelcome {
		return p.onward(w, r)
	}
	if step == appliance.StepStart && r.PostFormValue("start") == "backup" {
		return toRestore(w, r)
	}
	piece := v.read(r.PostForm)
	if len(v.Problems) == 0 && r.PostForm.Has("look") { // a button that only looks
		return p.again(w, r, who, "setup_"+step, v)
	}
	if len(v.Problems) == 0 {
		if step == appliance.StepOperator {
			if err := p.wizard.WantFactor(r.Context(), r.PostForm.Has("factor")); err != nil {
				return err
			}
		}
		err := p.wizard.Answer(r.Context(), step, piece)
		if refusal, ok := errors.AsType[*appliance.PersonError](err); ok {
			v.Problems = sentences(refusal.Err)
		} else if err != nil {
			return err
		}
	}
	if len(v.Problems) > 0 {
		return p.again(w, r, who, "setup_"+step, v)
	}
	if r.PostForm.Has("stay") { // a button that looks at what was just kept
		http.Redirect(w, r, "/setup/"+step+"?tested", http.StatusSeeOther)
		return nil
	}
	return p.onward(w, r)
}

// finish sets the box up and leads to the pages of the box that comes of it.
func (p *setup) finish(w http.ResponseWriter, r *http.Request, who caller) error {
	d, err := p.wizard.Draft(r.Context())
	if err != nil {
		return err
	}
	// The browser may leave; the set-up is done all the same.
	err = p.wizard.Finish(context.WithoutCancel(r.Context()))
	if _, ok := errors.AsType[*appliance.PersonError](err); ok {
		v, err := p.view(r, stepReview)
		if err != nil {
			return err
		}
		return p.again(w, r, who, "setup_"+stepReview, v)
	}
	if err != nil {
		return err
	}
	dropCookie(w, r, setupCookie)
	next := "/connect"
	if slices.Contains(d.Steps(), appliance.StepWallet) && d.Wallet.Words {
		next = "/wallet"
	}
	if !d.Private() && !d.Factor.Kept { // where coins are worth nothing, nobody is bothered with it
		next = "/factor?next=" + next
	}
	http.Redirect(w, r, "/login?next="+url.QueryEscape(next), http.StatusSeeOther)
	return nil
}
