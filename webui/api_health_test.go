package webui

import (
	"net/http"
	"strings"
	"testing"
)

// troubled is a box whose reasons name what is nobody else's business.
func troubled() *golden {
	g := newGolden()
	g.health = health{Status: "down", Checks: []check{
		{Name: "node", Status: "down", Reason: "bitcoind (pid 4711) does not start.", NextStep: "Look at its log."},
		{Name: "db", Status: "down", Reason: "open /srv/dmpool/ledger.db: disk I/O error", NextStep: "Check the disk."},
		{Name: "ledger", Status: "degraded", Reason: "The pool is 120,400 sat short.", NextStep: "Send 120,400 sat to the wallet."},
		{Name: "somethingnew", Status: "degraded", Reason: "secret"},
	}}
	return g
}

// Down is 503, so that a monitor needs no JSON; a stranger gets the statuses
// and nothing that the box knows beyond them.
func TestHealthForStrangers(t *testing.T) {
	w := open(t, troubled())
	forged := func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "pool_session", Value: "guess"}) }
	for _, resp := range []answer{w.get("/api/health"), w.get("/api/health", forged)} {
		if resp.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("status %d, want 503", resp.StatusCode)
		}
		for _, secret := range []string{"4711", "bitcoind", "/srv", "I/O", "120,400", "secret", "next_step", "log"} {
			if strings.Contains(resp.body, secret) {
				t.Errorf("a stranger is told %q: %s", secret, resp.body)
			}
		}
		v := decode(t, resp.body)
		checks, _ := v["checks"].(map[string]any)
		node, _ := checks["node"].(map[string]any)
		if v["service"] != "dmpool" || v["status"] != "down" || len(checks) != 4 || node["status"] != "down" || node["reason"] != "The node does not run." {
			t.Errorf("health = %v", v)
		}
	}
}

// Every check has a sentence for every status that the box gives it, and no
// sentence is said of two statuses that differ for a stranger.
func TestPublicReasons(t *testing.T) {
	for _, name := range []string{"node", "stratum", "db", "wallet", "ledger", "disk", "service", "ports", "shares", "backup", "memory", "clock", "unheard of"} {
		well := publicReason(name, "healthy")
		for _, status := range []string{"degraded", "down"} {
			if got := publicReason(name, status); !strings.HasSuffix(got, ".") || got == well {
				t.Errorf("%s %s: %q", name, status, got)
			}
		}
	}
}

// The operator gets the reasons and what to do, and no cache keeps them.
func TestHealthForOperators(t *testing.T) {
	w := open(t, troubled())
	w.signIn()
	resp := w.get("/api/health")
	if !strings.Contains(resp.body, `"next_step":"Look at its log."`) || !strings.Contains(resp.body, "pid 4711") {
		t.Errorf("body %s", resp.body)
	}
	if got := resp.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control = %q", got)
	}
}

// Health answers when the table of sessions does not.
func TestHealthWithoutDatabase(t *testing.T) {
	w := open(t, troubled())
	w.signIn()
	if err := w.db.Close(); err != nil {
		t.Fatal(err)
	}
	resp := w.get("/api/health")
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(resp.body, "A database does not answer.") {
		t.Errorf("status %d, body %s", resp.StatusCode, resp.body)
	}
}
