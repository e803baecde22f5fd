package webui

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Every answer, errors included, carries the headers that keep a page alone.
func TestHeaders(t *testing.T) {
	w := open(t, newGolden())
	for _, p := range []string{"/login", "/", "/nowhere", "/observer/" + aliceAddress, "/api/health", "/api/observer/x", "/static/none/app.css", w.site.assets.url("app.css")} {
		h := w.get(p).Header
		for name, want := range map[string]string{"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "X-Robots-Tag": "noindex, nofollow"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s = %q, want %q", p, name, got, want)
			}
		}
		if h.Get("Access-Control-Allow-Origin") != "" || h.Get("Strict-Transport-Security") != "" {
			t.Errorf("%s: CORS or HSTS is set", p)
		}
	}
	if strings.Contains(policy, "unsafe") || strings.Contains(policy, "upgrade-insecure-requests") || strings.Contains(policy, "*") {
		t.Errorf("policy %q is too wide, or breaks plain http", policy)
	}
}

func TestCacheControl(t *testing.T) {
	w := open(t, newGolden())
	want := func(p, value string) {
		t.Helper()
		if got := w.get(p).Header.Get("Cache-Control"); got != value {
			t.Errorf("%s: Cache-Control = %q, want %q", p, got, value)
		}
	}
	want("/observer", "no-cache")
	want("/login", "no-store")
	want(w.site.assets.url("app.js"), "public, max-age=31536000, immutable")
	want("/static/0123456789abcdef/app.js", "no-cache")
	want("/api/observer/"+aliceAddress, "max-age=10")
	w.signIn()
	want("/", "no-store")
	want("/observer/"+aliceAddress, "no-store")
	want("/nowhere", "no-cache")
}

func TestHost(t *testing.T) {
	w := open(t, newGolden())
	port := w.url[strings.LastIndex(w.url, ":"):]
	for host, want := range map[string]int{
		"127.0.0.1" + port: http.StatusOK,
		"localhost" + port: http.StatusOK,
		"[::1]" + port:     http.StatusOK,
		"192.168.1.50":     http.StatusOK,
		"POOL.lan.:8080":   http.StatusOK,
		"192.168.1.51":     http.StatusMisdirectedRequest,
		"evil.example":     http.StatusMisdirectedRequest,
		"localhost.evil":   http.StatusMisdirectedRequest,
		"127.0.0.1.nip.io": http.StatusMisdirectedRequest,
	} {
		resp := w.get("/observer", func(r *http.Request) { r.Host = host })
		if resp.StatusCode != want {
			t.Errorf("Host %s: status %d, want %d", host, resp.StatusCode, want)
		}
		if want == http.StatusMisdirectedRequest {
			checkPage(t, resp.body)
			if strings.Contains(resp.body, "192.168.1.50") {
				t.Errorf("the answer to Host %s names an address of ours", host)
			}
		}
	}
}

func TestForeignOrigin(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	form := url.Values{"token": {w.token()}}
	for name, change := range map[string]func(*http.Request){
		"another site":         func(r *http.Request) { r.Header.Set("Origin", "http://evil.example") },
		"another port":         func(r *http.Request) { r.Header.Set("Origin", "http://127.0.0.1:1") },
		"null":                 func(r *http.Request) { r.Header.Set("Origin", "null") },
		"Sec-Fetch cross-site": func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"Sec-Fetch same-site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
	} {
		if resp := w.do(http.MethodPost, "/jobs/upkeep/run", form, change); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: status %d, want 403", name, resp.StatusCode)
		}
	}
	if len(w.box.ran) > 0 {
		t.Error("a foreign page ran a job")
	}
	if resp := w.do(http.MethodPost, "/jobs/upkeep/run", form); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("our own page: status %d", resp.StatusCode)
	}
}

func TestBodyIsBounded(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	resp := w.do(http.MethodPost, "/jobs/upkeep/run", url.Values{"token": {w.token()}, "x": {strings.Repeat("x", maxForm)}})
	if resp.StatusCode != http.StatusForbidden || len(w.box.ran) > 0 {
		t.Errorf("a form above the limit: status %d, ran %v", resp.StatusCode, w.box.ran)
	}
}

// Each kind of route has its own bucket; headers do not change who is counted.
func TestRateLimits(t *testing.T) {
	w := open(t, newGolden())
	spoof := func(i int) func(*http.Request) {
		return func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String())
			r.Header.Set("CF-Connecting-IP", "10.9.8.7")
		}
	}
	for i := range 60 {
		if resp := w.get("/api/health", spoof(i)); resp.StatusCode != http.StatusOK {
			t.Fatalf("request %d: status %d", i, resp.StatusCode)
		}
	}
	over := w.get("/api/health", spoof(61))
	if over.StatusCode != http.StatusTooManyRequests || over.Header.Get("Retry-After") != "1" || over.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("request 61: status %d, Retry-After %q, %s", over.StatusCode, over.Header.Get("Retry-After"), over.Header.Get("Content-Type"))
	}
	for i := range 10 {
		if resp := w.do(http.MethodPost, "/login", url.Values{}); resp.StatusCode != http.StatusForbidden {
			t.Fatalf("login %d: status %d", i, resp.StatusCode)
		}
	}
	over = w.do(http.MethodPost, "/login", url.Values{})
	if over.StatusCode != http.StatusTooManyRequests || over.Header.Get("Retry-After") != "6" {
		t.Errorf("login 11: status %d, Retry-After %q", over.StatusCode, over.Header.Get("Retry-After"))
	}
	checkPage(t, over.body)
	if resp := w.get("/login"); resp.StatusCode != http.StatusOK {
		t.Errorf("the login form itself: status %d", resp.StatusCode)
	}
	w.clock.add(6 * time.Second)
	if resp := w.do(http.MethodPost, "/login", url.Values{}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("login after the wait: status %d", resp.StatusCode)
	}
}

// A flood of strangers at the operator's pages, or at no page at all, is turned
// away before it costs a look into the session table.
func TestFloodIsTurnedAway(t *testing.T) {
	for _, path := range []string{"/payouts", "/nowhere"} {
		s := siteOf(t, newGolden(), openDB(t), Options{Now: (&watch{at: noon}).now})
		handler := s.guarded(s.register())
		answer := func(ip string) int {
			rec := httptest.NewRecorder()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost"+path, http.NoBody)
			r.RemoteAddr = net.JoinHostPort(ip, "1")
			handler.ServeHTTP(rec, r)
			return rec.Code
		}
		usual, tries := answer("192.0.2.1"), 1
		for ; answer("192.0.2.1") == usual; tries++ {
			if tries > 5000 {
				t.Fatalf("%s: %d requests of a flood were answered", path, tries)
			}
		}
		if tries < 600 {
			t.Errorf("%s: an operator has only %d requests", path, tries)
		}
		if got := answer("192.0.2.1"); got != http.StatusTooManyRequests {
			t.Errorf("%s: the flood is answered with %d, want 429", path, got)
		}
		if got := answer("192.0.2.2"); got != usual {
			t.Errorf("%s: somebody else is answered with %d, want %d", path, got, usual)
		}
	}
}

func TestLimiterForgets(t *testing.T) {
	clock := &watch{at: noon}
	l := newLimiter(clock.now, time.Second, 2)
	ip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	for i := range maxVisitors {
		l.take(ip(i))
	}
	l.take(ip(maxVisitors)) // nobody is forgotten yet, so the flood shares a bucket
	l.take(ip(maxVisitors + 1))
	if wait := l.take(ip(maxVisitors + 2)).Wait; wait == 0 {
		t.Error("a flood of addresses has a bucket each")
	}
	if len(l.visitors) > maxVisitors+1 {
		t.Errorf("%d buckets", len(l.visitors))
	}
	clock.add(time.Minute)
	if wait := l.take(ip(maxVisitors + 3)).Wait; wait != 0 || len(l.visitors) > 1 {
		t.Errorf("after a minute: wait %v, %d buckets", wait, len(l.visitors))
	}
}

// A household's public /64 is one visitor; on the home network each machine is.
func TestVisitor(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"2001:db8::1", "2001:db8::2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1", "fe80::2", false},
		{"fd12:3456::1", "fd12:3456::2", false},
		{"fd12:3456::1", "fd12:3456::1", true},
		{"::1", "::2", false},
		{"192.0.2.1", "192.0.2.2", false},
		{"::ffff:192.0.2.1", "192.0.2.1", true},
	} {
		a, b := socketIP(net.JoinHostPort(tc.a, "1")), socketIP(net.JoinHostPort(tc.b, "2"))
		if got := visitor(a) == visitor(b); got != tc.same {
			t.Errorf("%s and %s are one visitor: %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
}
