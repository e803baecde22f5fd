package webui

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// BenchmarkPagesAfterAYear measures how long the server takes for the pages about
// miners when 100 workers have mined for a year, with a real node beside it.
func BenchmarkPagesAfterAYear(b *testing.B) {
	box, address := yearOld(b)
	w := visitOf(b, &machine{box: box, log: slog.New(slog.DiscardHandler)}, box.DB(), Options{})
	w.signIn()

	for _, page := range []struct{ name, path string }{
		{"dashboard", "/"},
		{"workers", "/workers"},
		{"worker", workerPath(address, "rig07") + "?range=30d"},
		{"observer", "/observer/" + address},
		{"observer-30d", "/observer/" + address + "?range=30d"},
		{"metrics", metricsPath},
	} {
		b.Run(page.name, func(b *testing.B) {
			took := make([]time.Duration, 0, b.N)
			w.get(page.path) // whoever comes first pays for what is kept
			for b.Loop() {
				begin := time.Now()
				if resp := w.get(page.path); resp.StatusCode != http.StatusOK {
					b.Fatalf("status %d", resp.StatusCode)
				}
				took = append(took, time.Since(begin))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
		})
	}
}

// yearOld is a running box whose 100 workers have mined for a year, and the address
// of half of them.
func yearOld(b *testing.B) (box *appliance.Appliance, address string) {
	b.Helper()
	binary, err := bitcoind.Find("")
	if err != nil {
		b.Skip(err)
	}
	dir := filepath.Join(b.TempDir(), "box")
	answers, err := appliance.ParseAnswers(strings.NewReader(`{"network":"regtest","operator":{"password":"` + password + `"}}`))
	if err != nil {
		b.Fatal(err)
	}
	if err := appliance.SetUp(b.Context(), dir, answers); err != nil {
		b.Fatal(err)
	}
	ln, err := appliance.Listen(b.Context(), "miners", "127.0.0.1:0", "--stratum")
	if err != nil {
		b.Fatal(err)
	}
	address = fillYear(b, filepath.Join(dir, "regtest", "shares.db"))
	box, err = appliance.New(b.Context(), appliance.Config{DataDir: dir, Bitcoind: binary, Stratum: []net.Listener{ln}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- box.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, box.Close()); err != nil {
			b.Error(err)
		}
	})
	for box.Health(ctx).Status != appliance.Healthy {
		time.Sleep(50 * time.Millisecond)
	}
	settings, rev, err := box.StoredSettings(ctx)
	if err != nil {
		b.Fatal(err)
	}
	settings.Metrics = pool.MetricsLocal
	if err := box.ChangeSettings(ctx, appliance.SettingsChange{Rev: rev, Settings: settings, Actor: "admin"}); err != nil {
		b.Fatal(err)
	}
	return box, address
}

// visitOf is a visit to a real box, which may ask as often as it likes.
func visitOf(b *testing.B, m box, db *sqlite.DB, o Options) *visit {
	b.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	s := siteOf(b, m, db, o)
	wide := func() *limiter { return newLimiter(time.Now, time.Microsecond, 1_000_000) }
	s.limits.desk, s.limits.pages, s.limits.api = wide(), wide(), wide()
	server := httptest.NewServer(s.guarded(s.register()))
	b.Cleanup(server.Close)
	jar, _ := cookiejar.New(nil)
	return &visit{t: b, site: s, url: server.URL, http: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// fillYear writes what a year of 100 workers of two addresses leaves behind: days,
// hours and ten minutes of charts, rejects of each day, and the shares of two days.
// It returns the first address.
func fillYear(b *testing.B, path string) string {
	b.Helper()
	log, err := shares.Open(b.Context(), path, shares.Options{})
	if err != nil {
		b.Fatal(err)
	}
	if err := log.Close(); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=OFF")
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	now := time.Now().Unix()
	addresses := []string{"bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "bcrt1q6rz28mcfaxtmd6v789l9rrlrusdprr9pz3cppk"}
	run := func(query string, args ...any) {
		b.Helper()
		if _, err := db.ExecContext(b.Context(), query, args...); err != nil {
			b.Fatal(err)
		}
	}
	for i := range 100 {
		address := addresses[i/50]
		_, script, err := pool.ParseAddress(address, "regtest")
		if err != nil {
			b.Fatal(err)
		}
		run(`INSERT INTO worker (id, address, name, script, user_agent, first_ms, last_ms, accepted, late, best, best_ms, best_round, round)
			VALUES (?, ?, ?, ?, 'bitaxe/BM1370/v2.9.0', ?, ?, 3900000, 12, 1e9, ?, 1e6, 0)`,
			i+1, address, fmt.Sprintf("rig%02d", i%50), script, (now-365*86400)*1000, now*1000, now*1000)
	}
	const series = `WITH RECURSIVE slot (t) AS (SELECT ?1 UNION ALL SELECT t + ?3 FROM slot WHERE t + ?3 < ?2) `
	day, hour, ten := now/86400*86400, now/3600*3600, now/600*600
	run(series+`INSERT INTO r1h SELECT t, id, 4.3e15, 450, 1 FROM slot CROSS JOIN worker`, day-365*86400, hour-8*86400, 3600)
	run(series+`INSERT INTO r10m SELECT t, id, 7.2e14, 75, 0 FROM slot CROSS JOIN worker`, hour-8*86400, ten, 600)
	run(series+`INSERT INTO up SELECT t, 600 FROM slot`, day-365*86400, ten, 600)
	run(series+`INSERT INTO reject SELECT t, id, reason, 3 FROM slot CROSS JOIN worker CROSS JOIN (SELECT 'stale' AS reason UNION SELECT 'duplicate')`, day-365*86400, now, 86400)
	// 12.5 shares a second for two days, in shifts of a minute.
	const perShift = 750
	from := now - 2*86400
	run(`WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?1)
		INSERT INTO share SELECT seq, (?2 + seq * 60 / ?3) * 1000, 1 + (seq * 37) % 100, 4398046511104, 1024, 1024.0 * (1 + (seq * 7919) % 997), 0 FROM n`,
		2*1440*perShift, from, perShift)
	run(`INSERT INTO shift SELECT 1 + (seq - 1) / ?1, min(seq), max(seq), ?2, min(at_ms), max(at_ms), sum(work) FROM share GROUP BY 1 + (seq - 1) / ?1`, perShift, 0x1703255b)
	run(`INSERT INTO shift_work SELECT 1 + (seq - 1) / ?1, worker, sum(work), count(*) FROM share GROUP BY 1 + (seq - 1) / ?1, worker`, perShift)
	return addresses[0]
}
