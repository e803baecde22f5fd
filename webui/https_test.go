package webui

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/dmpool/dmpool/appliance"
)

// goldenCertificate is made once: all golden boxes are the same box.
var goldenCertificate = sync.OnceValue(func() tls.Certificate {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	return server.TLS.Certificates[0]
})

func (g *golden) StratumCertificate() (*x509.Certificate, error) {
	if g.bare {
		return nil, errors.New("no certificate")
	}
	return x509.ParseCertificate(goldenCertificate().Certificate[0])
}

// overTLS serves the same site over TLS and returns a browser there.
func (w *visit) overTLS() *visit {
	w.t.Helper()
	certificate := appliance.NewPageCertificate(w.t.TempDir(), nil, slog.New(slog.DiscardHandler))
	leaf, err := certificate.Leaf()
	if err != nil {
		w.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	addr := serve(w.t.(*testing.T), func(ctx context.Context, ln net.Listener) error {
		return ServeTLS(ctx, ln, w.site.guarded(w.site.register()), certificate.TLS(), slog.New(slog.DiscardHandler))
	})
	jar, _ := cookiejar.New(nil)
	v := *w
	v.url = "https://" + addr
	v.http = &http.Client{
		Jar: jar, CheckRedirect: w.http.CheckRedirect,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
	}
	w.t.Cleanup(v.http.CloseIdleConnections)
	return &v
}

// Over TLS there is HTTP/2, every cookie is bound to this host and to TLS, and no
// browser is told to come back in no other way.
func TestPagesOverTLS(t *testing.T) {
	w := open(t, newGolden()).overTLS()
	form := w.get("/login")
	if form.ProtoMajor != 2 {
		t.Errorf("the protocol is %s, want HTTP/2", form.Proto)
	}
	answers := []answer{
		form,
		w.do(http.MethodPost, "/look", url.Values{"lang": {chinese}, "theme": {"dark"}, "next": {"/observer"}}),
		w.do(http.MethodPost, "/login", url.Values{"user": {"admin"}, "password": {password}, "token": {hidden(t, form.body, "token")}}),
	}
	seen := map[string]bool{}
	for _, a := range answers {
		if a.Header.Get("Strict-Transport-Security") != "" {
			t.Error("HSTS is set")
		}
		for _, c := range a.Cookies() {
			seen[c.Name] = true
			if !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
				t.Errorf("cookie over TLS: %s", c)
			}
		}
	}
	for _, name := range []string{sessionCookie, loginCookie, languageCookie, themeCookie} {
		if !seen["__Host-"+name] {
			t.Errorf("no cookie __Host-%s", name)
		}
	}
	page := w.get("/")
	if page.StatusCode != http.StatusOK || !strings.Contains(page.body, `lang="zh-Hans" data-theme="dark"`) {
		t.Errorf("signed in over TLS: status %d", page.StatusCode)
	}
	if strings.Contains(page.body, "plain-http") {
		t.Error("an encrypted page says that it is not")
	}
	if about := w.get("/about?lang=en").body; !strings.Contains(about, w.words("about.https_now")) {
		t.Error("the page about the box does not say that it came encrypted")
	}
}

// A session of one scheme does not open the pages of the other.
func TestSessionsOfSchemesAreApart(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	cookie := w.sessionCookie()
	over := w.overTLS()
	if resp := over.get("/", func(r *http.Request) { r.AddCookie(cookie) }); resp.StatusCode != http.StatusSeeOther {
		t.Errorf("the cookie of plain http over TLS: status %d", resp.StatusCode)
	}
}

// The line about encryption is for operators on another machine without it.
func TestPlainHTTPLine(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	cookie := w.sessionCookie()
	ask := func(path, from string, change ...func(*http.Request)) string {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://192.168.1.50:8080"+path, http.NoBody)
		r.RemoteAddr = net.JoinHostPort(from, "50000")
		r.AddCookie(cookie)
		for _, c := range change {
			c(r)
		}
		rec := httptest.NewRecorder()
		w.site.guarded(w.site.register()).ServeHTTP(rec, r)
		return rec.Body.String()
	}
	if body := ask("/workers?sort=name", "192.168.1.9"); !strings.Contains(body, `href="https://192.168.1.50:8443/workers?sort=name"`) {
		t.Error("no link to the same page over TLS")
	} else {
		checkPage(t, body)
	}
	const mark = `class="plain-http"`
	if strings.Contains(ask("/workers", "127.0.0.1"), mark) {
		t.Error("the line stands on this very machine")
	}
	if strings.Contains(ask("/observer", "192.168.1.9", func(r *http.Request) { r.Header.Del("Cookie") }), mark) {
		t.Error("strangers see the line")
	}
	w.site.proxies = []netip.Prefix{netip.MustParsePrefix("192.168.1.9/32")}
	if strings.Contains(ask("/workers", "192.168.1.9", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.168.1.20") }), mark) {
		t.Error("the line stands behind a proxy, which may encrypt")
	}
	w.site.proxies, w.site.https = nil, nil
	if strings.Contains(ask("/workers", "192.168.1.9"), mark) {
		t.Error("the line leads nowhere")
	}
}

// Certificates are given to everybody, keys to nobody.
func TestCertificateFiles(t *testing.T) {
	w := open(t, newGolden())
	for _, path := range []string{pageCertificatePath, stratumCertificatePath} {
		resp := w.get(path)
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(resp.body, "-----BEGIN CERTIFICATE-----") || strings.Contains(resp.body, "KEY") {
			t.Errorf("%s: status %d: %s", path, resp.StatusCode, resp.body)
		}
		if got := resp.Header.Get("Content-Disposition"); !strings.HasPrefix(got, "attachment") {
			t.Errorf("%s: Content-Disposition %q", path, got)
		}
	}
	leaf, _ := w.box.StratumCertificate()
	w.signIn()
	about := w.get("/about").body
	checkPage(t, about)
	if strings.Count(about, appliance.Fingerprint(leaf)) != 2 || !strings.Contains(about, `href="https://127.0.0.1:8443"`) {
		t.Error("the page about the box does not show its certificates")
	}
	w.site.https, w.box.bare = nil, true
	about = w.get("/about").body
	if !strings.Contains(about, w.words("about.https_off")) || strings.Contains(about, stratumCertificatePath) {
		t.Error("without certificates the page shows some")
	}
	if got := w.get(pageCertificatePath).StatusCode; got != http.StatusNotFound {
		t.Errorf("%s without HTTPS: status %d", pageCertificatePath, got)
	}
}

// words is an English text of the pages.
func (w *visit) words(key string, pairs ...any) string {
	w.t.Helper()
	text, err := w.site.words[english].text(key, pairs...)
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}
