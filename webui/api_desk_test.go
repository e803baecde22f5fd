package webui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestDeskGolden(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for file, p := range map[string]string{
		"api-dashboard.json":  "/api/dashboard",
		"api-services.json":   "/api/services/status",
		"api-workers.json":    "/api/workers?page_size=2",
		"api-v1-pool.json":    "/api/v1/pool",
		"api-v1-block.json":   "/api/v1/blocks/" + w.box.block.Hash,
		"api-desk-block.json": "/api/blocks/924980",
		"api-safety.json":     "/api/safety/check",
	} {
		resp := w.get(p)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: status %d, %s", p, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
		v := decode(t, resp.body)
		delete(v, "memory_mb")
		pretty, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		compareGolden(t, file, append(pretty, '\n'))
	}
}

func TestWorkerPages(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	lines := slices.Clone(w.box.workers)
	lines[2].Status, lines[2].Banned = "banned", "Sold"
	w.box.setWorkers(lines)
	names := func(query string) string {
		v := decode(t, w.get("/api/workers?"+query).body)
		var got []string
		for _, item := range v["data"].([]any) {
			got = append(got, item.(map[string]any)["worker_name"].(string))
		}
		return fmt.Sprint(got, " of ", v["total"], ", ", v["total_pages"], " pages")
	}
	for query, want := range map[string]string{
		"":                                       "[s19 bitaxe1 " + hostile + " ] of 4, 1 pages",
		"sort_by=shares&sort_order=asc":          "[" + hostile + "  bitaxe1 s19] of 4, 1 pages",
		"sort_by=hashrate&page_size=1":           "[s19] of 4, 4 pages",
		"sort_by=hashrate&page_size=1&page=2":    "[bitaxe1] of 4, 4 pages",
		"page=5":                                 "[] of 4, 1 pages",
		"search=BITAXE":                          "[bitaxe1] of 1, 1 pages",
		"search=nobody":                          "[] of 0, 0 pages",
		"status=inactive":                        "[] of 1, 1 pages", // it has no name
		"status=banned":                          "[s19] of 1, 1 pages",
		"status=active":                          "[bitaxe1 " + hostile + "] of 2, 1 pages",
		"sort_by=address&page_size=1":            "[" + hostile + "] of 4, 4 pages",
		"sort_by=address&page_size=1&page=2":     "[bitaxe1] of 4, 4 pages",
		"sort_by=last_seen&sort_order=asc&page=": "[ " + hostile + " bitaxe1 s19] of 4, 1 pages",
	} {
		if got := names(query); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	v := decode(t, w.get("/api/workers?search=bitaxe1").body)["data"].([]any)[0].(map[string]any)
	if fmt.Sprint(v["tags"]) != "[quiet wifi]" || v["is_banned"] != false {
		t.Errorf("bitaxe1: %v", v)
	}
}

// What a query says that makes no sense is told, not guessed.
func TestHostileQueries(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for _, p := range []string{
		"/api/workers?page=0", "/api/workers?page=-1", "/api/workers?page=x", "/api/workers?page=1e3", "/api/workers?page=99999999999999999999",
		"/api/workers?page_size=0", "/api/workers?page_size=101", "/api/workers?sort_by=name", "/api/workers?sort_order=up",
		"/api/workers?status=%3Cscript%3E", "/api/v1/blocks?limit=0", "/api/v1/blocks?offset=-1", "/api/v1/blocks?offset=10001",
		"/api/v1/workers?limit=501", "/api/v1/bans?offset=x", "/api/observer/" + aliceAddress + "/hashrate?range=1y",
		"/api/observer/" + aliceAddress + "/hashrate?range=24H", "/api/payouts?limit=%00",
		"/api/logs?level=loud", "/api/audit/logs?limit=1001", "/api/audit/logs?start_time=yesterday", "/api/audit/logs?end_time=-1",
		"/api/audit/logs?start_time=99999999999999999", "/api/audit/logs?before=0",
	} {
		w.clock.add(60e9)
		resp := w.get(p)
		if resp.StatusCode != http.StatusBadRequest || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: status %d, %s", p, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
	for _, p := range []string{"/api/blocks/-1", "/api/blocks/x", "/api/blocks/99999999999", "/api/blocks/1", "/api/v1/blocks/" + strings.Repeat("f", 64), "/api/v1/blocks/%2e%2e"} {
		w.clock.add(60e9)
		if resp := w.get(p); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
	}
}

// FuzzAPIQueries asks every GET route of the API with any query: it may be refused,
// but it never is our fault, and the answer is always JSON.
func FuzzAPIQueries(f *testing.F) {
	for _, seed := range []string{"", "limit=1&offset=2", "page=2&page_size=3&sort_by=shares&sort_order=asc", "range=7d", "search=%00%ff", "limit=1&limit=2;x", "status=active&search=[", "a=%zz&page=٣"} {
		f.Add(seed)
	}
	g := newGolden()
	s, err := makeSite(g, nil, Options{})
	if err != nil {
		f.Fatal(err)
	}
	var gets []route
	for _, rt := range s.apiRoutes() {
		if strings.HasPrefix(rt.pattern, "GET /api/") && rt.pattern != "GET /api/health" && rt.pattern != "GET /api/openapi.yaml" && rt.pattern != "GET /api/audit/export" {
			gets = append(gets, rt)
		}
	}
	mux := http.NewServeMux()
	for _, rt := range gets {
		mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) { s.finish(w, r, caller{}, rt.handle) })
	}
	f.Fuzz(func(t *testing.T, query string) {
		for _, rt := range gets {
			_, p := fillIn(rt.pattern)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, p, http.NoBody)
			r.URL.RawQuery = query
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, r)
			if rec.Code >= http.StatusInternalServerError || !json.Valid(rec.Body.Bytes()) {
				t.Errorf("%s?%s: status %d, %s", p, query, rec.Code, rec.Body)
			}
		}
	})
}

func TestDeskConfig(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	w.signIn()
	change := func(key string, fields map[string]any) answer {
		w.clock.add(60e9)
		return w.command("/api/config", key, fields)
	}
	resp := change("1", map[string]any{"rev": 7, "start_difficulty": 32, "pool_signature": "Home"})
	v := decode(t, resp.body)
	if resp.StatusCode != http.StatusOK || fmt.Sprint(v["changes"]) != "[start_difficulty: 0 → 32 pool_signature: DMPool → Home]" || v["rev"] != 8.0 {
		t.Errorf("status %d, %s", resp.StatusCode, resp.body)
	}
	if g.settings.StartDifficulty != 32 || g.settings.Name != "Home" || g.settings.MinDifficulty != 1e-5 {
		t.Errorf("settings %+v", g.settings)
	}
	for name, tc := range map[string]struct {
		fields map[string]any
		status int
	}{
		"nothing new":     {map[string]any{"rev": 8, "start_difficulty": 32}, http.StatusOK},
		"old revision":    {map[string]any{"rev": 7, "start_difficulty": 64}, http.StatusConflict},
		"no revision":     {map[string]any{"start_difficulty": 64}, http.StatusConflict},
		"money":           {map[string]any{"rev": 8, "fee_bps": 0}, http.StatusBadRequest},
		"null":            {map[string]any{"rev": 8, "pool_signature": nil}, http.StatusBadRequest},
		"no number":       {map[string]any{"rev": 8, "start_difficulty": "32"}, http.StatusBadRequest},
		"what there was":  {map[string]any{"rev": 8, "ignore_difficulty": true}, http.StatusBadRequest},
		"out of range":    {map[string]any{"rev": 8, "minimum_difficulty": 0}, http.StatusUnprocessableEntity},
		"long signature":  {map[string]any{"rev": 8, "pool_signature": strings.Repeat("x", 33)}, http.StatusUnprocessableEntity},
		"empty signature": {map[string]any{"rev": 8, "pool_signature": ""}, http.StatusUnprocessableEntity},
	} {
		if resp := change(name, tc.fields); resp.StatusCode != tc.status {
			t.Errorf("%s: status %d, want %d: %s", name, resp.StatusCode, tc.status, resp.body)
		}
	}
	if g.rev != 8 {
		t.Errorf("revision %d, want 8", g.rev)
	}
}

func TestAuditByAPI(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for query, want := range map[string]string{
		"":                           "[7 6 5 4 3 2 1]",
		"username=admin":             "[7 4 2 1]",
		"action=login":               "[6 5 2]",
		"resource=pool":              "[4]",
		"limit=1":                    "[7]",
		"before=3&limit=1":           "[2]",
		"start_time=1795348000":      "[7]",
		"end_time=1795300000":        "[2 1]",
		"username=admin%27%20OR%201": "[]",
	} {
		var ids []any
		for _, item := range readJSON(t, w.get("/api/audit/logs?"+query).body).([]any) {
			ids = append(ids, item.(map[string]any)["id"])
		}
		if got := fmt.Sprint(append([]any{}, ids...)); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	failed := decode(t, "{\"all\":"+w.get("/api/audit/logs?before=4&limit=1").body+"}")["all"].([]any)[0].(map[string]any)
	if failed["success"] != false || failed["error"] != hostile || failed["username"] != "box" {
		t.Errorf("entry 3: %v", failed)
	}
	resp := w.get("/api/audit/export")
	if lines := strings.Count(resp.body, "\n"); lines != 7 || resp.Header.Get("Content-Disposition") == "" {
		t.Errorf("%d lines, %s", lines, resp.Header.Get("Content-Disposition"))
	}
}

func TestBanByAPI(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	w.signIn()
	base := "/api/workers/" + aliceAddress
	do := func(path, key string, fields map[string]any, want int) map[string]any {
		t.Helper()
		w.clock.add(60e9)
		resp := w.command(path, key, fields)
		if resp.StatusCode != want {
			t.Errorf("%s %v: status %d, want %d: %s", path, fields, resp.StatusCode, want, resp.body)
		}
		return decode(t, resp.body)
	}
	do(base+"/ban", "1", map[string]any{"reason": "Sends duplicates"}, http.StatusOK)
	if n := len(g.orders); n != 1 || g.orders[0].Reason != "Sends duplicates" || g.orders[0].Operator.Name != "admin" {
		t.Errorf("ordered %+v", g.orders)
	}
	bans := decode(t, w.get("/api/v1/bans").body)
	if bans["total"] != 4.0 {
		t.Errorf("bans %v", bans)
	}
	do(base+"/unban", "2", nil, http.StatusOK)
	do(base+"/unban", "3", nil, http.StatusNotFound)
	do("/api/workers/nonsense/ban", "4", nil, http.StatusBadRequest)
	do(base+"/ban", "5", map[string]any{"reason": " "}, http.StatusUnprocessableEntity)

	if v := do(base+"/tags", "6", map[string]any{"tag": "attic"}, http.StatusOK); fmt.Sprint(v["tags"]) != "[attic]" {
		t.Errorf("tags %v", v)
	}
	if v := do(base+"/tags/attic", "7", nil, http.StatusOK); fmt.Sprint(v["tags"]) != "[]" {
		t.Errorf("tags %v", v)
	}
	do(base+"/tags", "8", map[string]any{}, http.StatusBadRequest)
	i := slices.IndexFunc(g.marks, func(m mark) bool { return m.Address == aliceAddress && m.Worker == "" })
	if i < 0 || g.marks[i].Label != "Alice" {
		t.Errorf("the label went with the tag: %+v", g.marks)
	}
	// A form that another site can send does nothing.
	if resp := w.do(http.MethodPost, base+"/ban", url.Values{"token": {w.token()}}); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a form: status %d", resp.StatusCode)
	}
}
