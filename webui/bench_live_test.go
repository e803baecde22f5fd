package webui

import (
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool"
)

// busy is a box in which something happens all the time.
type busy struct {
	*machine
	events pool.Events
}

func (b *busy) Changes() (<-chan event, func()) { return b.events.Subscribe() }

// browser is a browser on a machine of its own.
type browser struct{ ip string }

func (d browser) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("X-Forwarded-For", d.ip)
	return http.DefaultTransport.RoundTrip(r)
}

// BenchmarkOpenPages measures what 50 pages that stay open cost, on a pool that gets
// 12.5 shares a second: how much of a core goes on them, those who read included, that
// does not without them.
func BenchmarkOpenPages(b *testing.B) {
	const open, perDevice, shares = 50, 4, 80 * time.Millisecond
	old, _ := yearOld(b)
	box := &busy{machine: &machine{box: old, log: slog.New(slog.DiscardHandler)}}
	w := visitOf(b, box, old.DB(), Options{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	measure := func() time.Duration {
		begin := spent(b)
		for range 250 {
			box.events.Publish(pool.Event{Kind: "share", At: time.Now()})
			time.Sleep(shares)
		}
		return spent(b) - begin
	}
	paths := []string{"/", "/workers", "/blocks", "/payouts"}
	alone := measure()
	for i := range open {
		if i%perDevice == 0 {
			jar, _ := cookiejar.New(nil)
			w.http = &http.Client{Jar: jar, Transport: browser{fmt.Sprintf("10.0.0.%d", i+1)}, CheckRedirect: w.http.CheckRedirect}
			w.signIn()
		}
		r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, w.url+paths[i%len(paths)], http.NoBody)
		if err != nil {
			b.Fatal(err)
		}
		r.Header.Set("Accept", "text/event-stream")
		resp, err := w.http.Do(r)
		if err != nil || resp.Header.Get("Content-Type") != "text/event-stream" {
			b.Fatalf("page %d is not open: %v", i, err)
		}
		b.Cleanup(func() { _ = resp.Body.Close() })
		go func() { _, _ = io.Copy(io.Discard, resp.Body) }()
	}
	time.Sleep(2 * calm) // all have got their first parts
	for b.Loop() {
		b.ReportMetric(100*(measure()-alone).Seconds()/(250*shares).Seconds(), "%core")
	}
}

// spent is the processor's time that this process took so far.
func spent(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
