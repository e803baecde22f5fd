package webui

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// command sends one to the API as a script with a session does.
func (w *visit) command(path, key string, fields map[string]any, change ...func(*http.Request)) answer {
	w.t.Helper()
	body, err := json.Marshal(fields)
	if err != nil {
		w.t.Fatal(err)
	}
	token := w.get("/api/payments/config").Header.Get(tokenHeader)
	return w.do(http.MethodPost, path, nil, append([]func(*http.Request){func(r *http.Request) {
		r.Body, r.ContentLength = newBody(string(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set(tokenHeader, token)
		if key != "" {
			r.Header.Set("Idempotency-Key", key)
		}
	}}, change...)...)
}

func TestPaymentsGolden(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for file, p := range map[string]string{
		"api-payments-stats.json":    "/api/payments/stats",
		"api-payments-balances.json": "/api/payments/balances?limit=2",
		"api-payments-balance.json":  "/api/payments/balances/" + newAddress,
		"api-payments-list.json":     "/api/payments/payouts?limit=2",
		"api-payments-to.json":       "/api/payments/payouts/" + aliceAddress,
		"api-payments-payout.json":   "/api/payments/payouts/id/42",
	} {
		resp := w.get(p)
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: status %d, %s, %s", p, resp.StatusCode, resp.Header.Get("Content-Type"), resp.Header.Get("Cache-Control"))
		}
		pretty, err := json.MarshalIndent(decode(t, resp.body), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		compareGolden(t, file, append(pretty, '\n'))
	}
}

func TestPaymentsQueries(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for p, want := range map[string]float64{
		"balances?search=" + aliceAddress[5:15]: 1,
		"balances?search=TB1":                   3,
		"balances?search=nobody":                0,
		"payouts?status=settled":                1,
		"payouts?status=draft":                  0,
		"payouts":                               4,
	} {
		if v := decode(t, w.get("/api/payments/"+p).body); v["total"] != want {
			t.Errorf("%s: total %v, want %v", p, v["total"], want)
		}
	}
	for p, want := range map[string]int{
		"payouts?limit=0":        http.StatusBadRequest,
		"balances?offset=x":      http.StatusBadRequest,
		"balances/nonsense":      http.StatusBadRequest,
		"payouts/nonsense":       http.StatusBadRequest,
		"payouts/id/7":           http.StatusNotFound,
		"payouts/id/x":           http.StatusNotFound,
		"balances/tb1" + hostile: http.StatusNotFound,
		"create":                 http.StatusMethodNotAllowed,
	} {
		resp := w.get("/api/payments/" + strings.ReplaceAll(p, hostile, strings.Repeat("q", 40)))
		if resp.StatusCode != want || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: status %d, %s; want %d", p, resp.StatusCode, resp.Header.Get("Content-Type"), want)
		}
	}
}

func TestPaymentsBroadcast(t *testing.T) {
	digest := strings.Repeat("5a", 32)
	whole := map[string]any{"rev": 3, "digest": digest, "total_sats": 1_222_300, "password": password}
	with := func(key string, value any) map[string]any {
		m := map[string]any{}
		for k, v := range whole {
			m[k] = v
		}
		if value == nil {
			delete(m, key)
		} else {
			m[key] = value
		}
		return m
	}
	for name, tc := range map[string]struct {
		fields map[string]any
		key    string
		status int
		code   string
	}{
		"as it is":         {whole, "k", http.StatusOK, ""},
		"key in the body":  {with("idempotency_key", "k"), "", http.StatusOK, ""},
		"no key":           {whole, "", http.StatusBadRequest, "invalid"},
		"key is no text":   {with("idempotency_key", 7), "", http.StatusBadRequest, "invalid"},
		"no password":      {with("password", nil), "k", http.StatusForbidden, codeWrongPassword},
		"wrong password":   {with("password", "guess"), "k", http.StatusForbidden, codeWrongPassword},
		"old revision":     {with("rev", 2), "k", http.StatusConflict, "stale"},
		"no revision":      {with("rev", nil), "k", http.StatusConflict, "stale"},
		"another plan":     {with("digest", strings.Repeat("00", 32)), "k", http.StatusConflict, "stale"},
		"no plan":          {with("digest", nil), "k", http.StatusBadRequest, "invalid"},
		"wrong total":      {with("total_sats", 1), "k", http.StatusUnprocessableEntity, "refused"},
		"no total":         {with("total_sats", nil), "k", http.StatusUnprocessableEntity, "refused"},
		"a misspelt field": {with("totl", 1), "k", http.StatusBadRequest, "invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, newGolden())
			w.signIn()
			resp := w.command("/api/payments/broadcast/42", tc.key, tc.fields)
			v := decode(t, resp.body)
			if resp.StatusCode != tc.status || tc.code != "" && v["code"] != tc.code {
				t.Fatalf("status %d, %s; want %d, %s", resp.StatusCode, resp.body, tc.status, tc.code)
			}
			if got, want := len(w.box.approved), btoi(tc.status == http.StatusOK); got != want {
				t.Errorf("%d approvals, want %d", got, want)
			}
			if tc.status == http.StatusOK && v["state"] != "approved" {
				t.Errorf("answer %s", resp.body)
			}
			if strings.Contains(resp.body, password) {
				t.Error("the answer contains the password")
			}
		})
	}
}

// What is not JSON from our own client is refused before anything is looked at.
func TestPaymentsCommandForm(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	body := func(text string) func(*http.Request) {
		return func(r *http.Request) { r.Body, r.ContentLength = newBody(text), int64(len(text)) }
	}
	for name, tc := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"another content type": {set("Content-Type", "text/plain"), http.StatusUnsupportedMediaType},
		"a form":               {set("Content-Type", "application/x-www-form-urlencoded"), http.StatusUnsupportedMediaType},
		"no token":             {set(tokenHeader, ""), http.StatusForbidden},
		"another token":        {set(tokenHeader, "guess"), http.StatusForbidden},
		"another site":         {set("Origin", "http://evil.example"), http.StatusForbidden},
		"a list":               {body(`[]`), http.StatusBadRequest},
		"no JSON":              {body(`{"rev":`), http.StatusBadRequest},
		"two values":           {body(`{} {}`), http.StatusBadRequest},
		"too long":             {body(`{"note":"` + strings.Repeat("x", maxForm) + `"}`), http.StatusRequestEntityTooLarge},
		"a key without end":    {set("Idempotency-Key", strings.Repeat("k", 129)), http.StatusBadRequest},
	} {
		if resp := w.command("/api/payments/create", "k", map[string]any{}, tc.change); resp.StatusCode != tc.status || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: status %d, want %d: %s", name, resp.StatusCode, tc.status, resp.body)
		}
	}
	if len(w.box.drafted) > 0 {
		t.Error("a payout was prepared")
	}
}

// The same key gives the same answer and does nothing again; another command
// with it is refused; a refused command leaves no trace.
func TestPaymentsReplay(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	cancel := func(key string, rev int) answer {
		return w.command("/api/payments/cancel/42", key, map[string]any{"rev": rev})
	}
	if resp := cancel("a", 2); resp.StatusCode != http.StatusConflict {
		t.Fatalf("old revision: status %d", resp.StatusCode)
	}
	first, second := cancel("b", 3), cancel("b", 3)
	if first.StatusCode != http.StatusOK || second.StatusCode != http.StatusOK || first.body != second.body || len(w.box.cancelled) != 1 {
		t.Errorf("status %d and %d, %d cancelled; %s / %s", first.StatusCode, second.StatusCode, len(w.box.cancelled), first.body, second.body)
	}
	if other := cancel("b", 4); other.StatusCode != http.StatusUnprocessableEntity || decode(t, other.body)["code"] != "key-reused" {
		t.Errorf("another command: status %d, %s", other.StatusCode, other.body)
	}
	if resp := cancel("c", 3); resp.StatusCode != http.StatusConflict {
		t.Errorf("another key: status %d", resp.StatusCode)
	}
	w.clock.add(answerLife)
	w.signIn()
	if resp := cancel("b", 3); resp.StatusCode != http.StatusConflict {
		t.Errorf("a day later: status %d", resp.StatusCode)
	}
}

// Of many equal commands at once one is done, and all get its answer.
func TestPaymentsReplayAtOnce(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	token := w.get("/api/payments/config").Header.Get(tokenHeader)
	var group sync.WaitGroup
	bodies := make([]string, 30)
	for i := range bodies {
		group.Go(func() {
			resp := w.do(http.MethodPost, "/api/payments/create", nil, func(r *http.Request) {
				r.Body, r.ContentLength = newBody(`{}`), 2
				r.Header.Set("Content-Type", "application/json")
				r.Header.Set(tokenHeader, token)
				r.Header.Set("Idempotency-Key", "same")
			})
			bodies[i] = resp.Status + resp.body
		})
	}
	group.Wait()
	for _, b := range bodies {
		if b != bodies[0] || !strings.HasPrefix(b, "201") {
			t.Fatalf("answers %q and %q", bodies[0], b)
		}
	}
	if len(w.box.drafted) != 1 {
		t.Errorf("%d drafts", len(w.box.drafted))
	}
}

// The answer of a command is kept, its password is not.
func TestPaymentsReplayKeepsNoPassword(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	fields := map[string]any{"rev": 7, "settings": map[string]any{"fee_bps": 100}, "password": password}
	if resp := w.command("/api/payments/config", "k", fields); resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d: %s", resp.StatusCode, resp.body)
	}
	var digest []byte
	var body string
	if err := w.db.Reader().QueryRowContext(t.Context(), `SELECT digest, body FROM web_answer`).Scan(&digest, &body); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(body, password) {
		t.Error("the password is in the table")
	}
	w.clock.add(time.Minute)
	fields["password"] = "guess"
	if resp := w.command("/api/payments/config", "k", fields); resp.StatusCode != http.StatusForbidden {
		t.Errorf("repetition with another password: status %d", resp.StatusCode)
	}
}

func TestPaymentsConfig(t *testing.T) {
	w := open(t, newGolden())
	w.signIn()
	for name, tc := range map[string]struct {
		fields map[string]any
		status int
	}{
		"an unknown setting": {map[string]any{"rev": 7, "settings": map[string]any{"fee": 1}, "password": password}, http.StatusBadRequest},
		"a fraction of one":  {map[string]any{"rev": 7, "settings": map[string]any{"fee_bps": 1.5}, "password": password}, http.StatusBadRequest},
		"an old revision":    {map[string]any{"rev": 6, "settings": map[string]any{"fee_bps": 1}, "password": password}, http.StatusConflict},
		"without a password": {map[string]any{"rev": 7, "settings": map[string]any{"fee_bps": 1}}, http.StatusForbidden},
		"no settings":        {map[string]any{"rev": 7, "password": password}, http.StatusBadRequest},
	} {
		if resp := w.command("/api/payments/config", name, tc.fields); resp.StatusCode != tc.status {
			t.Errorf("%s: status %d, want %d: %s", name, resp.StatusCode, tc.status, resp.body)
		}
	}
	w.clock.add(time.Minute)
	resp := w.command("/api/payments/config", "k", map[string]any{"rev": 7, "settings": map[string]any{"fee_bps": 100, "min_payout_sat": 5000}, "password": password})
	v := decode(t, resp.body)
	if resp.StatusCode != http.StatusOK || v["rev"] != 8.0 || w.box.settings.FeeBps != 100 || w.box.settings.MinPayoutSat != 5000 || w.box.settings.Name != "DMPool" {
		t.Errorf("status %d, %s, settings %+v", resp.StatusCode, resp.body, w.box.settings)
	}
}

// TestRequestKeyIsTheOperators: a key that somebody else used already does not lead
// to their payout.
func TestRequestKeyIsTheOperators(t *testing.T) {
	if requestKey(operator{ID: 1}, "k") == requestKey(operator{ID: 2}, "k") || requestKey(operator{ID: 1}, "k") == requestKey(operator{ID: 1}, "l") {
		t.Error("two requests have the same key")
	}
}
