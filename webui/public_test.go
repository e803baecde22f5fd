package webui

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
)

// visitPort is the visit on the public API's own port.
func (w *visit) visitPort() *visit {
	server := httptest.NewServer(w.site.guarded(w.site.publicAPI()))
	w.t.Cleanup(server.Close)
	port := *w
	port.url = server.URL
	return &port
}

// The port of the public API answers the public routes and no other, whoever asks.
func TestPublicPort(t *testing.T) {
	w := open(t, newGolden())
	w.signIn() // the cookie is for this host, whatever the port
	port := w.visitPort()
	known := 0
	for _, rt := range w.site.routes() {
		method, p := fillIn(rt.pattern)
		w.clock.add(60e9) // a full bucket
		resp := port.do(method, p, nil)
		switch {
		case rt.access == public && resp.StatusCode >= 500:
			t.Errorf("%s: status %d", rt.pattern, resp.StatusCode)
		case rt.access == public:
			known++
		case resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusMethodNotAllowed:
			t.Errorf("%s answers %d on the public port", rt.pattern, resp.StatusCode)
		case !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json"):
			t.Errorf("%s: %s on the public port", rt.pattern, resp.Header.Get("Content-Type"))
		}
		if got := resp.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("%s: X-Content-Type-Options %q", rt.pattern, got)
		}
	}
	if known == 0 {
		t.Fatal("no route is public")
	}
	if health := port.get("/api/health").body; strings.Contains(health, "925,001") {
		t.Errorf("the operator is known on the public port: %s", health)
	}
	if resp := port.get("/api/health", func(r *http.Request) { r.Host = "evil.example" }); resp.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("a foreign name on the public port: status %d", resp.StatusCode)
	}
}

// Other sites may read the public API when the operator wants that, and never more.
func TestCORS(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	w.signIn()
	from := func(r *http.Request) { r.Header.Set("Origin", "https://stats.example") }
	for _, on := range []bool{false, true} {
		g.settings.PublicAPICORS = on
		for _, rt := range w.site.routes() {
			w.clock.add(60e9)
			method, p := fillIn(rt.pattern)
			if method != http.MethodGet {
				continue
			}
			h := w.get(p, from).Header
			want := ""
			if on && rt.access == public {
				want = "*"
			}
			if got := h.Get("Access-Control-Allow-Origin"); got != want {
				t.Errorf("setting %v, %s: Access-Control-Allow-Origin %q, want %q", on, p, got, want)
			}
			if h.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s allows credentials", p)
			}
		}
	}
	// A script has to be able to read why it is refused, too.
	if resp := w.get("/api/observer/nonsense", from); resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a problem: status %d, %q", resp.StatusCode, resp.Header.Get("Access-Control-Allow-Origin"))
	}
}

// The headers say what the limiter does, on every answer of the API.
func TestRateLimitHeaders(t *testing.T) {
	w := open(t, newGolden())
	told := func(resp answer) (limit, left, reset int) {
		for name, to := range map[string]*int{"Limit": &limit, "Remaining": &left, "Reset": &reset} {
			n, err := strconv.Atoi(resp.Header.Get("X-RateLimit-" + name))
			if err != nil {
				t.Fatalf("X-RateLimit-%s: %v", name, err)
			}
			*to = n
		}
		return limit, left, reset
	}
	limit, left, _ := told(w.get("/api/v1/pool"))
	for answered := 1; ; answered++ {
		resp := w.get("/api/nowhere/" + strconv.Itoa(answered)) // counts like any other
		if resp.StatusCode == http.StatusTooManyRequests {
			if answered != limit || left+1 != limit {
				t.Errorf("%d requests were answered; the headers said %d, and %d left after the first", answered, limit, left)
			}
			break
		}
	}
	over := w.get("/api/v1/pool")
	_, left, reset := told(over)
	after, _ := strconv.Atoi(over.Header.Get("Retry-After"))
	if over.StatusCode != http.StatusTooManyRequests || left != 0 || reset != limit || after < 1 {
		t.Fatalf("status %d, %d left, full in %d s, retry after %d s", over.StatusCode, left, reset, after)
	}
	w.clock.add(1e9 * 1)
	if _, left, reset := told(w.get("/api/v1/pool")); left != 0 || reset != limit {
		t.Errorf("after one second and one request: %d left, full in %d s", left, reset)
	}
	if h := w.get("/login").Header; h.Get("X-RateLimit-Limit") != "" {
		t.Error("a page carries the headers of the API's limit")
	}
}

// Programs, pages and the login never use up each other's requests.
func TestBucketsAreApart(t *testing.T) {
	w := open(t, newGolden())
	for w.get("/api/v1/pool").StatusCode != http.StatusTooManyRequests {
	}
	if resp := w.get("/observer"); resp.StatusCode != http.StatusOK {
		t.Errorf("page after the API was used up: status %d", resp.StatusCode)
	}
	if resp := w.do(http.MethodPost, "/login", url.Values{}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("login after the API was used up: status %d", resp.StatusCode)
	}
}

// Who the visitor is comes from the socket, and from a named proxy's word for it.
func TestVisitorBehindProxy(t *testing.T) {
	s := mustSite(t, newGolden())
	s.proxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24"), netip.MustParsePrefix("fd00::/64")}
	for name, tc := range map[string]struct {
		remote string
		chain  []string
		want   string
	}{
		"nobody's word":           {"192.0.2.9:1", []string{"198.51.100.1"}, "192.0.2.9"},
		"no proxy, no header":     {"192.0.2.9:1", nil, "192.0.2.9"},
		"proxy without a header":  {"10.0.0.1:1", nil, "10.0.0.1"},
		"proxy":                   {"10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"proxy with the port":     {"10.0.0.1:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		"proxy, IPv6":             {"[fd00::1]:1", []string{"[2001:db8::5]:80"}, "2001:db8::5"},
		"proxy, IPv6 in brackets": {"[fd00::1]:1", []string{"[2001:db8::5]"}, "2001:db8::5"},
		"mapped":                  {"[::ffff:10.0.0.1]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"invented by the visitor": {"10.0.0.1:1", []string{"203.0.113.7, 198.51.100.1"}, "198.51.100.1"},
		"invented, own line":      {"10.0.0.1:1", []string{"203.0.113.7", "198.51.100.1"}, "198.51.100.1"},
		"two proxies":             {"10.0.0.1:1", []string{"203.0.113.7, 198.51.100.1, 10.0.0.2"}, "198.51.100.1"},
		"only proxies":            {"10.0.0.1:1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"no address":              {"10.0.0.1:1", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		"empty":                   {"10.0.0.1:1", []string{""}, "10.0.0.1"},
		"rubbish":                 {"10.0.0.1:1", []string{",,;drop"}, "10.0.0.1"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = tc.remote
		r.Header["X-Forwarded-For"] = tc.chain
		if got := s.visitorOf(r); got != netip.MustParseAddr(tc.want) {
			t.Errorf("%s: %v, want %v", name, got, tc.want)
		}
	}
}

// Behind a proxy each visitor has a bucket, and cannot get another by inventing one.
func TestLimitsBehindProxy(t *testing.T) {
	s := siteOf(t, newGolden(), openDB(t), Options{Now: (&watch{at: noon}).now, Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32")}})
	handler := s.guarded(s.register())
	ask := func(chain string) int {
		rec := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/api/v1/pool", http.NoBody)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header.Set("X-Forwarded-For", chain)
		handler.ServeHTTP(rec, r)
		return rec.Code
	}
	for i := range 60 {
		ask("203.0.113." + strconv.Itoa(i) + ", 198.51.100.1")
	}
	if got := ask("203.0.113.99, 198.51.100.1"); got != http.StatusTooManyRequests {
		t.Errorf("a visitor with invented addresses: %d", got)
	}
	if got := ask("198.51.100.2"); got != http.StatusOK {
		t.Errorf("another visitor: %d", got)
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, seed := range []string{"", "198.51.100.1", "1.2.3.4:5, [::1]:6", "unknown,10.0.0.2", "fe80::1%eth0, 10.0.0.2", "::ffff:1.2.3.4"} {
		f.Add(seed)
	}
	s := &site{proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	f.Fuzz(func(t *testing.T, chain string) {
		r := &http.Request{RemoteAddr: "10.0.0.1:1", Header: http.Header{"X-Forwarded-For": {chain}}}
		if ip := s.visitorOf(r); !ip.IsValid() || ip.Zone() != "" || ip.Is4In6() {
			t.Errorf("%q: %v", chain, ip)
		}
	})
}
