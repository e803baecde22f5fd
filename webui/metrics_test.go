package webui

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/dmpool/dmpool/pool"
)

// Who may scrape is a setting, and nobody unless the operator has said so.
func TestMetricsAccess(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token := w.readToken()
	forged := func(r *http.Request) { r.Header.Set("Authorization", "Bearer dmpool_guess") }
	passedOn := func(r *http.Request) { r.Header.Set("X-Forwarded-For", "203.0.113.9") }
	for _, tt := range []struct {
		rule                                   string
		stranger, forged, proxy, token, person int
	}{
		{pool.MetricsOff, 401, 401, 401, 404, 404},
		{pool.MetricsToken, 401, 401, 401, 200, 200},
		{pool.MetricsLocal, 200, 401, 401, 200, 200},
	} {
		w.box.change(func(s *pool.Settings) { s.Metrics = tt.rule })
		w.clock.add(time.Minute)
		for who, is := range map[string]struct{ got, want int }{
			"a program on this machine": {w.script().get(metricsPath).StatusCode, tt.stranger},
			"a guess":                   {w.script().get(metricsPath, forged).StatusCode, tt.forged},
			"what a proxy passes on":    {w.script().get(metricsPath, passedOn).StatusCode, tt.proxy},
			"a token":                   {w.script().get(metricsPath, shows(token)).StatusCode, tt.token},
			"an operator":               {w.get(metricsPath).StatusCode, tt.person},
		} {
			if is.got != is.want {
				t.Errorf("%s, %s: status %d, want %d", tt.rule, who, is.got, is.want)
			}
		}
		for _, ip := range []string{"192.168.1.9", "203.0.113.9"} {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://192.168.1.50:8080"+metricsPath, nil)
			r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(ip), 50000).String()
			rec := httptest.NewRecorder()
			w.site.guarded(w.site.register()).ServeHTTP(rec, r)
			if rec.Code == http.StatusOK {
				t.Errorf("%s: a stranger at %s may ask", tt.rule, ip)
			}
		}
	}
	if resp := w.visitPort().get(metricsPath); resp.StatusCode != http.StatusNotFound {
		t.Errorf("on the port of the public API: status %d", resp.StatusCode)
	}
}

// A scrape is text that Prometheus reads, with the names that miners made up inside
// the quotes, and nothing of it is kept.
func TestMetricsScrape(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	resp := w.script().get(metricsPath, shows(w.readToken()))
	if got := resp.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/plain; version=0.0.4") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", resp.Header)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(resp.body))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(families["worker_shares_valid_total"].GetMetric()); n != len(w.box.workers) {
		t.Errorf("%d workers, want %d", n, len(w.box.workers))
	}
	if !strings.Contains(resp.body, "\nshares_accepted_total 18511\n") || !strings.Contains(resp.body, `workername="<script>alert(\"x\")</script>"`) {
		t.Errorf("body %s", resp.body)
	}
}

// A box that cannot be read fails the scrape, and says why in the log only.
func TestMetricsFail(t *testing.T) {
	g := newGolden()
	var log bytes.Buffer
	w := open(t, g)
	w.site.log = slog.New(slog.NewTextHandler(&log, nil))
	w.signIn()
	g.fail = errors.New("open /srv/shares.db: disk I/O error")
	resp := w.get(metricsPath)
	if resp.StatusCode != http.StatusInternalServerError || strings.Contains(resp.body, "/srv") || !strings.Contains(log.String(), "disk I/O error") {
		t.Errorf("status %d, body %s, log %s", resp.StatusCode, resp.body, log.String())
	}
}
