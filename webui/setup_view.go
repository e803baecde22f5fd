package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
)

// stepReview is the last page, which asks nothing.
const stepReview = "review"

// setupView fills the templates setup_*.html.
type setupView struct {
	Step     string
	Steps    []setupStep
	Back     string // the step before, "" on the first
	Draft    appliance.Draft
	V        map[string]string // what the fields hold
	Problems []string          // sentences
	Wrong    string            // on the first page: what was, see welcomeWrong
	Holds    bool              // on the first page: this browser holds the set-up
	Facts    appliance.Facts
	Address  string // under which this browser has found the box

	Settings  pool.Settings
	Advice    []string // on the rules: keys of texts
	Private   bool     // the chosen chain is the box's own
	KeepMiB   int      // of the chain, recommended; 0: all
	KeepGB    int
	SmallDisk string              // why a node does not fit, a sentence
	Sync      string              // key of the text on how long the first sync may take
	Found     appliance.Neighbour // a node that is here already; its URL is empty if there is none
	Test      *appliance.NodeTest // how the chosen node answered just now
	Zones     []string
	Factor    *setupFactor
	Core      coreView
	HTTPS     *certificateView // of the pages over TLS, nil where there are none
	Secure    bool             // this page came over TLS
	Preview   *previewView     // of a backup that was uploaded
}

// setupStep is a line of the list of steps.
type setupStep struct {
	Name string
	Done bool
	Now  bool
	Open bool // it can be gone to
}

// open tells whether a page may be shown: all before it are answered.
func (v *setupView) open(step string) bool {
	i := slices.IndexFunc(v.Steps, func(s setupStep) bool { return s.Name == step })
	return i >= 0 && v.Steps[i].Open
}

// Number is the place of the step among all, from 1.
func (v *setupView) Number() int {
	return 1 + slices.IndexFunc(v.Steps, func(s setupStep) bool { return s.Now })
}

// view gathers what a page of the wizard shows.
func (p *setup) view(r *http.Request, step string) (*setupView, error) {
	v, err := p.frame(r, step)
	if err != nil || !v.open(step) {
		return v, err
	}
	if err := v.gather(r, p.wizard); err != nil {
		return nil, err
	}
	switch step {
	case appliance.StepFactor:
		return v, p.factorOf(r, v)
	case appliance.StepAccess:
		v.HTTPS = p.pagesOverTLS(r)
	}
	return v, nil
}

// frame is view without what the step is about.
func (p *setup) frame(r *http.Request, step string) (*setupView, error) {
	d, err := p.wizard.Draft(r.Context())
	if err != nil {
		return nil, err
	}
	v := &setupView{Step: step, Draft: d, Address: addressOf(r), Settings: d.Settings(), Private: d.Private(), Secure: r.TLS != nil}
	open := true
	for _, name := range append(d.Steps(), stepReview) {
		s := setupStep{Name: name, Now: name == step, Open: open, Done: slices.Contains(d.Done, name)}
		if s.Now && len(v.Steps) > 0 {
			v.Back = v.Steps[len(v.Steps)-1].Name
		}
		open = open && s.Done
		v.Steps = append(v.Steps, s)
	}
	v.V, v.Core = fieldsOf(d), coreOf(p.wizard.Core())
	return v, nil
}

// addressOf is how the browser calls the box, which knownHost has looked at. The
// set-up never changes it.
func addressOf(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// gather looks at what the step is about.
func (v *setupView) gather(r *http.Request, w *appliance.Wizard) (err error) {
	switch v.Step {
	case appliance.StepCheck, appliance.StepNode, stepReview:
		if v.Facts, err = w.Facts(r.Context()); err != nil {
			return err
		}
	}
	switch v.Step {
	case appliance.StepRules, stepReview:
		v.Advice = adviceOn(v.Settings)
	case appliance.StepAccess:
		v.Zones = timeZones(v.V["time_zone"])
	case appliance.StepNode:
		v.gatherNode(r, w)
	}
	return nil
}

func (v *setupView) gatherNode(r *http.Request, w *appliance.Wizard) {
	var err error
	if v.KeepMiB, err = w.Recommended(v.Draft.Network); err != nil {
		v.SmallDisk = asSentence(err)
	}
	v.KeepGB = v.KeepMiB * (1 << 20) / 1_000_000_000
	v.Sync = syncOf(v.Draft.Network, v.Facts)
	v.Found, _ = w.Neighbour(r.Context(), v.Draft.Network)
	if v.V["node"] == "" {
		v.V["node"] = nodeOwn
		if v.Found.CookieFile != "" {
			v.V["node"] = nodeFound
		}
	}
	if r.URL.Query().Has("tested") && v.Draft.Node.External.URL != "" {
		t := w.TestNode(r.Context(), v.Draft.Network, v.Draft.Node.External)
		v.Test = &t
	}
}

// syncOf chooses what to say about the first synchronisation: it takes as long as
// checking all signatures, for which cores and memory count.
func syncOf(network string, f appliance.Facts) string {
	const gib = 1 << 30
	switch {
	case network != "main":
		return "test"
	case f.Cores >= 8 && f.RAM >= 15*gib:
		return "fast"
	case f.Cores >= 4 && f.RAM >= 7*gib:
		return "fair"
	}
	return "slow"
}

// The ways to a node, as the form names them.
const (
	nodeOwn      = "own"
	nodeFound    = "found"
	nodeExternal = "external"
)

// fieldsOf is what the fields hold before anybody types.
func fieldsOf(d appliance.Draft) map[string]string {
	s, done := d.Settings(), func(step string) bool { return slices.Contains(d.Done, step) }
	v := map[string]string{
		"user": d.Operator.User, "network": d.Network, "start": "new", "time_zone": d.TimeZone, "name": s.Name,
		"url": d.Node.External.URL, "cookie_file": d.Node.External.CookieFile, "node_user": d.Node.External.User,
		"prune": "auto", "download": "on", "settlement": s.Settlement, "fee": writeFixed(s.FeeBps, 2),
		"window": writeFixed(s.WindowMilli, 3), "min_payout": writeFixed(s.MinPayoutSat, 0), "keys": "node", "unlock": d.Wallet.Unlock,
		"admin_from": s.AdminFrom, "observer_pages": "yes",
	}
	if d.Factor.Wanted {
		v["factor"] = "on"
	}
	if !s.ObserverPages {
		v["observer_pages"] = "no"
	}
	if d.Wallet.Restore {
		v["start"] = "restore"
	}
	if v["user"] == "" {
		v["user"] = "admin"
	}
	if done(appliance.StepNode) {
		v["node"] = nodeOwn
		if d.Node.External.URL != "" {
			v["node"] = nodeExternal
		}
		if !d.Node.Download {
			v["download"] = ""
		}
	}
	if p := d.Node.PruneMiB; p != nil && *p == 0 {
		v["prune"] = "all"
	}
	if d.Wallet.Words {
		v["keys"] = "words"
	}
	if v["unlock"] == "" {
		v["unlock"], v["keys"] = "ask", "words"
		if d.Private() {
			v["unlock"], v["keys"] = "auto", "node"
		}
	}
	return v
}

// secrets are the fields that are never given back.
func secrets() []string {
	return []string{"password", "again", "node_password", "passphrase", "passphrase_again"}
}

// read takes a form as the step's part of the answers, and remembers what was
// typed.
func (v *setupView) read(form url.Values) (a appliance.Answers) {
	for key := range form {
		if !slices.Contains(secrets(), key) {
			v.V[key] = cut(strings.TrimSpace(form.Get(key)), 1000)
		}
	}
	wrong := func(sentence string) { v.Problems = append(v.Problems, sentence) }
	get := func(key string) string { return v.V[key] }
	switch v.Step {
	case appliance.StepStart:
		a.Wallet.Restore = get("start") == "restore"
	case appliance.StepOperator:
		if !form.Has("factor") {
			v.V["factor"] = ""
		}
		a.Operator = appliance.OperatorAnswer{User: get("user"), Password: form.Get("password")}
		if form.Get("password") != form.Get("again") {
			wrong("The two passwords differ. Type the same one twice.")
		}
	case appliance.StepNetwork:
		a.Network = get("network")
	case appliance.StepNode:
		v.readNode(form, &a)
	case appliance.StepRules:
		v.readRules(&a, wrong)
	case appliance.StepWallet:
		a.Wallet = appliance.WalletAnswer{Words: get("keys") == "words", Unlock: get("unlock"), Passphrase: form.Get("passphrase")}
		if a.Wallet.Unlock == "ask" && form.Get("passphrase") != form.Get("passphrase_again") {
			wrong("The two passphrases differ. Type the same one twice.")
		}
	case appliance.StepAccess:
		a.Pool.Name, a.TimeZone = new(get("name")), get("time_zone")
		if from := get("admin_from"); from != "" {
			a.Pool.AdminFrom = &from
		}
		if look := get("observer_pages"); look != "" {
			a.Pool.ObserverPages = new(look == "yes")
		}
	}
	return a
}

func (v *setupView) readNode(form url.Values, a *appliance.Answers) {
	if !form.Has("download") {
		v.V["download"] = ""
	}
	switch v.V["node"] {
	case nodeFound:
		a.Node.External = appliance.ExternalNode{URL: v.Found.URL, CookieFile: v.Found.CookieFile}
	case nodeExternal:
		a.Node.External = appliance.ExternalNode{
			URL: v.V["url"], CookieFile: v.V["cookie_file"], User: v.V["node_user"], Password: form.Get("node_password"),
		}
	default:
		a.Node.Download = v.V["download"] != ""
		if v.V["prune"] == "all" {
			a.Node.PruneMiB = new(int)
		}
	}
}

// readRules also shows at once what the typed rules mean.
func (v *setupView) readRules(a *appliance.Answers, wrong func(string)) {
	s := v.Settings
	s.Settlement = v.V["settlement"]
	for _, f := range []struct {
		key, label string
		unit       unit
		into       *int64
	}{
		{"fee", "Pool fee", fixed(2, "%"), &s.FeeBps},
		{"window", "Window", fixed(3, ""), &s.WindowMilli},
		{"min_payout", "Minimum payout", sats(), &s.MinPayoutSat},
	} {
		if err := f.unit.read(v.V[f.key], f.into); err != nil {
			wrong(f.label + ": " + asSentence(err))
		}
	}
	a.Pool.Settlement, a.Pool.FeeBps, a.Pool.WindowMilli, a.Pool.MinPayoutSat = &s.Settlement, &s.FeeBps, &s.WindowMilli, &s.MinPayoutSat
	v.Settings, v.Advice = s, adviceOn(s)
}

// adviceOn names what somebody should know about these rules before they count,
// as keys of texts. What is doubtful about them is said by [pool.Settings.Risks].
func adviceOn(s pool.Settings) (keys []string) {
	say := func(when bool, key string) {
		if when {
			keys = append(keys, key)
		}
	}
	solo, ledger := s.Settlement == "solo", s.Settlement == "ledger"
	say(solo, "solo")
	say(ledger, "custody")
	say(s.Settlement == "direct", "direct")
	say(s.FeeBps == 0 && ledger, "fee_none")
	say(!solo && s.WindowMilli > 8000, "window_long")
	say(!solo && s.MinPayoutSat < 20_000, "payout_small")
	return keys
}

// KeepsAll tells whether the chosen node keeps all blocks.
func (v *setupView) KeepsAll() bool { return v.V["prune"] == "all" }

// GB writes bytes for people.
func (v *setupView) GB(bytes int64) string { return strconv.FormatInt(bytes/1_000_000_000, 10) }
