package webui

import (
	"cmp"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	xlanguage "golang.org/x/text/language"

	"github.com/dmpool/dmpool/appliance/logbook"
	"github.com/dmpool/dmpool/appliance/metrics"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// Options are the things that New can do without. The zero value is ready.
type Options struct {
	Version string        // of the program, for the page about it
	News    []News        // what its releases brought, the newest first, for the same page
	Log     *logbook.Book // what the logs page shows; nil: it has nothing to show
	Logger  *slog.Logger
	Level   *slog.LevelVar // of Logger, for the logs page to change; nil: it cannot
	Now     func() time.Time
	HTTPS   *HTTPS   // where the pages are over TLS, too; nil: nowhere
	Hosts   []string // further names that the Host header may have, such as "pool.lan"

	// Proxies are the networks of the reverse proxies whose X-Forwarded-For says
	// who the visitor is. From everybody else that header means nothing.
	Proxies []netip.Prefix
}

// site is the handler's state. It is safe for concurrent use.
type site struct {
	box     box
	store   *store
	tokens  *tokens
	log     *slog.Logger
	version string
	news    []News
	book    *logbook.Book
	level   *slog.LevelVar
	now     func() time.Time
	https   *HTTPS
	hosts   []string
	proxies []netip.Prefix
	key     []byte // of login forms; a restart only asks to send the form again
	matcher xlanguage.Matcher
	*press
	styled  styled
	limits  limits
	streams *streams
	shown   *showings
	replays *replays

	described []apiGroup // the API, for the page about it
	figures   *prometheus.Registry
}

func makeSite(b box, db *sqlite.DB, o Options) (*site, error) {
	p, err := newPress()
	if err != nil {
		return nil, err
	}
	return newSite(b, db, o, p), nil
}

func newSite(b box, db *sqlite.DB, o Options, p *press) *site {
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &site{
		box:     b,
		store:   &store{db: db, now: o.Now},
		tokens:  &tokens{db: db, now: o.Now, key: []byte(rand.Text() + rand.Text())},
		log:     o.Logger,
		version: cmp.Or(o.Version, "dev"),
		news:    o.News,
		book:    o.Log,
		level:   o.Level,
		now:     o.Now,
		https:   o.HTTPS,
		hosts:   ownNames(o.Hosts),
		proxies: o.Proxies,
		key:     []byte(rand.Text() + rand.Text()),
		matcher: newMatcher(),
		press:   p,
		limits:  newLimits(o.Now),
		streams: newStreams(),
		shown:   newShowings(),
		replays: &replays{db: db, now: o.Now, running: map[replayKey]chan struct{}{}},
	}
	s.described = apiRoutesOf(s.apiRoutes(), p.api)
	s.figures = metrics.NewRegistry(b.Measures)
	return s
}

// handler answers a request that passed every check. An error that it returns
// is shown by fail; it must not have written anything then.
type handler func(w http.ResponseWriter, r *http.Request, who caller) error

// serve puts a route behind its checks: rate, session, access, form token.
func (s *site) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if rt.access == public {
			s.share(w.Header())
		}
		left := rt.limit.take(remoteIP(r))
		if rt.limit != nil && isAPI(r) {
			rt.limit.tell(w.Header(), left)
		}
		if left.Wait > 0 {
			s.fail(w, r, caller{}, throttled(left.Wait))
			return
		}
		if rt.early {
			s.finish(w, r, caller{IP: remoteIP(r)}, rt.handle)
			return
		}
		if rt.access != anyone && rt.access != public && !s.mayOperate(remoteIP(r)) {
			s.fail(w, r, caller{}, away())
			return
		}
		who, err := s.identify(r)
		if err != nil {
			s.fail(w, r, caller{}, err)
			return
		}
		if who.signedIn() {
			w.Header().Set("Cache-Control", "no-store")
			r = r.WithContext(s.box.InSession(r.Context(), who.Session))
		}
		if who.session != nil && who.signedIn() {
			who = s.noteUse(r, who)
			w.Header().Set(endsHeader, who.Ends.UTC().Format(time.RFC3339))
		}
		asks := rt.access == operators || rt.access == readers || rt.access == monitors && !s.isMonitor(r)
		if asks && !s.admit(w, r, who, rt.access) {
			return
		}
		s.finish(w, r, who, rt.handle)
	})
}

// admit lets an operator pass whose form, if it is one, is ours. A script that
// shows a token needs no form token: no browser adds that header by itself.
func (s *site) admit(w http.ResponseWriter, r *http.Request, who caller, level access) bool {
	switch {
	case !who.signedIn():
		s.toLogin(w, r)
		return false
	case who.scope == scopeRead && level == operators:
		s.fail(w, r, who, &problem{Status: http.StatusForbidden, Code: "read-only", Detail: "This token may only look."})
		return false
	case !asksOnly(r) && who.scope == "" && !provesForm(r, who):
		s.fail(w, r, who, &problem{Status: http.StatusForbidden, Code: "form-token"})
		return false
	}
	return true
}

// asksOnly reports whether the request changes nothing.
func asksOnly(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// endsHeader says with every answer to an operator when the session ends, so that
// the script can warn in time.
const endsHeader = "Dmpool-Session-Ends"

// noteUse keeps the session alive when a person, and not a poll, asks.
func (s *site) noteUse(r *http.Request, who caller) caller {
	if isPoll(r) {
		return who
	}
	if err := s.store.touch(r.Context(), who.session); err != nil {
		s.log.Warn("Session not touched", "err", err)
		return who
	}
	who.Ends, who.Final = lifeOf(who.session).ends()
	return who
}

func (s *site) finish(w http.ResponseWriter, r *http.Request, who caller, h handler) {
	if err := h(w, r, who); err != nil {
		s.fail(w, r, who, err)
	}
}

// isPoll reports whether a script asks and not a person: such requests do not
// keep a session alive.
func isPoll(r *http.Request) bool {
	return r.Header.Get("Dmpool-Poll") != "" || wantsStream(r)
}

func wantsStream(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Accept"), "text/event-stream")
}

// unmatched answers what no route matched: 405 when the path exists under
// another method, 404 otherwise.
func (s *site) unmatched(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limit := s.limits.desk
		if isAPI(r) {
			limit = s.limits.api
		}
		if left := limit.take(remoteIP(r)); left.Wait > 0 {
			s.fail(w, r, caller{}, throttled(left.Wait))
			return
		}
		var allowed []string
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			probe := r.Clone(r.Context())
			probe.Method = method
			if _, pattern := mux.Handler(probe); pattern != "/" && pattern != "" {
				allowed = append(allowed, method)
			}
		}
		if len(allowed) > 0 {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			s.fail(w, r, caller{}, &problem{Status: http.StatusMethodNotAllowed, Code: "method"})
			return
		}
		who := caller{}
		if known, err := s.identify(r); err == nil {
			who = known
		}
		s.fail(w, r, who, notFound())
	}
}
