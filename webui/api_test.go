package webui

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// decode reads a JSON answer, field by field.
func decode(t *testing.T, body string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

func TestAPIGolden(t *testing.T) {
	w := open(t, newGolden())
	for file, p := range map[string]string{
		"api-health.json":   "/api/health",
		"api-observer.json": "/api/observer/" + aliceAddress,
		"api-shares.json":   "/api/observer/" + aliceAddress + "/shares?limit=2&offset=1",
		"api-payouts.json":  "/api/observer/" + aliceAddress + "/payouts",
	} {
		resp := w.get(p)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: status %d, %s", p, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		pretty, err := json.MarshalIndent(decode(t, resp.body), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		compareGolden(t, file, append(pretty, '\n'))
	}
}

// An answer that the client has is not sent again, until there is something new.
func TestAPICondition(t *testing.T) {
	w := open(t, newGolden())
	p := "/api/observer/" + aliceAddress
	tag := w.get(p).Header.Get("ETag")
	ask := func() answer {
		return w.get(p, func(r *http.Request) { r.Header.Set("If-None-Match", `W/"other", "x", `+tag) })
	}
	w.clock.add(2 * time.Second)
	if resp := ask(); resp.StatusCode != http.StatusNotModified || resp.body != "" {
		t.Errorf("the same again: status %d, body %q", resp.StatusCode, resp.body)
	}
	w.box.observer.Balance.Unpaid++
	if resp := ask(); resp.StatusCode != http.StatusOK || resp.Header.Get("ETag") == tag {
		t.Errorf("after a change: status %d, ETag %s", resp.StatusCode, resp.Header.Get("ETag"))
	}
}

func TestAPIProblems(t *testing.T) {
	w := open(t, newGolden())
	base := "/api/observer/" + aliceAddress
	for p, want := range map[string]int{
		"/api/observer/nonsense":         http.StatusBadRequest,
		"/api/observer/" + newAddress:    http.StatusNotFound,
		"/api/nowhere":                   http.StatusNotFound,
		base + "/shares?limit=0":         http.StatusBadRequest,
		base + "/shares?limit=501":       http.StatusBadRequest,
		base + "/shares?limit=x":         http.StatusBadRequest,
		base + "/shares?offset=10000":    http.StatusOK,
		base + "/shares?offset=10001":    http.StatusBadRequest,
		base + "/shares?offset=1000000":  http.StatusBadRequest,
		base + "/payouts?offset=-1":      http.StatusBadRequest,
		base + "/payouts?offset=10001":   http.StatusBadRequest,
		base + "/payouts?limit=500":      http.StatusOK,
		"/api/observer/%3Cscript%3E":     http.StatusBadRequest,
		"/api/observer/..%2f..%2fhealth": http.StatusBadRequest,
	} {
		resp := w.get(p)
		if resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", p, resp.StatusCode, want)
		}
		if want == http.StatusOK {
			continue
		}
		v := decode(t, resp.body)
		if resp.Header.Get("Content-Type") != "application/problem+json" || v["status"] != float64(want) || v["title"] != http.StatusText(want) || v["type"] != "about:blank" {
			t.Errorf("%s: %s %v", p, resp.Header.Get("Content-Type"), v)
		}
	}
}

// Whoever pages too far back is told where the limit is, and why there is one.
func TestAPIOffsetIsBounded(t *testing.T) {
	w := open(t, newGolden())
	v := decode(t, w.get("/api/observer/"+aliceAddress+"/shares?offset=10001").body)
	if detail, _ := v["detail"].(string); !strings.Contains(detail, "0 to 10000") || !strings.Contains(detail, "48 hours") {
		t.Errorf("detail = %q", detail)
	}
}

// What is not known is null, never 0.
func TestAPIUnknownIsNull(t *testing.T) {
	g := newGolden()
	g.observer = observerView{Address: aliceAddress, Known: true}
	w := open(t, g)
	v := decode(t, w.get("/api/observer/"+aliceAddress).body)
	for _, key := range []string{"estimated_hashrate_ths", "window_pct", "next_block_estimate_sats"} {
		if got, there := v[key]; !there || got != nil {
			t.Errorf("%s = %v, want null", key, got)
		}
	}
	if workers, ok := v["workers"].([]any); !ok || len(workers) != 0 {
		t.Errorf("workers = %v, want []", v["workers"])
	}
}
