package webui

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The answers in the shapes of other pools, as they are.
func TestCompatGolden(t *testing.T) {
	w := open(t, newGolden())
	for file, p := range map[string]string{
		"compat-pool.json":    "/api/pool",
		"compat-network.json": "/api/network",
		"compat-info.json":    "/api/info",
		"compat-client.json":  "/api/client/" + aliceAddress,
		"compat-user.json":    "/users/" + aliceAddress,
		"compat-status.txt":   "/pool/pool.status",
	} {
		resp := w.get(p)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: status %d", p, resp.StatusCode)
		}
		compareGolden(t, file, []byte(resp.body))
	}
}

// Without the setting these routes are not there.
func TestCompatIsASetting(t *testing.T) {
	g := newGolden()
	g.settings.CompatibleAPI = false
	w := open(t, g)
	for _, p := range []string{"/api/pool", "/api/network", "/api/info", "/api/info/chart", "/api/client/" + aliceAddress, "/api/share/top-difficulties", "/pool/pool.status", "/users/" + aliceAddress} {
		if resp := w.get(p); resp.StatusCode != http.StatusNotFound || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: status %d, %s", p, resp.StatusCode, resp.Header.Get("Content-Type"))
		}
	}
}

// Nobody's name reaches strangers who do not know the address.
func TestCompatNamesNobody(t *testing.T) {
	w := open(t, newGolden())
	for _, p := range []string{"/api/pool", "/api/info", "/api/info/chart", "/api/network", "/api/share/top-difficulties", "/pool/pool.status", "/api/v1/pool", "/api/v1/blocks", "/api/v1/blocks/" + w.box.block.Hash} {
		body := w.get(p).body
		for _, name := range []string{aliceAddress, bobAddress, "bitaxe1", "s19"} {
			if strings.Contains(body, `"`+name) {
				t.Errorf("%s tells of %s", p, name)
			}
		}
	}
	for _, p := range []string{"/users/", "/users", "/api/client", "/api/client/"} {
		if resp := w.get(p); resp.StatusCode != http.StatusNotFound {
			t.Errorf("%s: status %d, want no index", p, resp.StatusCode)
		}
	}
}

// pyFloat is Python's float() of a JSON value, as both integrations of Home
// Assistant use it: float(answer.get(key, 0)).
func pyFloat(m map[string]any, key string) (float64, error) {
	switch v := m[key].(type) {
	case json.Number:
		return v.Float64()
	case string:
		return strconv.ParseFloat(strings.TrimSpace(v), 64)
	case nil:
		if _, there := m[key]; !there {
			return 0, nil
		}
	}
	return 0, fmt.Errorf("float() of %v, which is %s", m[key], key)
}

// pyInt is Python's int(), which takes no text with a point.
func pyInt(m map[string]any, key string) (int64, error) {
	v, err := pyFloat(m, key)
	if text, ok := m[key].(string); ok {
		return strconv.ParseInt(text, 10, 64)
	}
	return int64(v), err
}

// homeAssistant reads as the coordinator of exergyheat/ha-integration-public-pool
// does: every 60 seconds, each status other than 200 being a failure.
func homeAssistant(w *visit, address string) (workers map[string]bool, err error) {
	pages := map[string]map[string]any{}
	for _, p := range []string{"/api/pool", "/api/network", "/api/client/" + address} {
		resp := w.get(p)
		if resp.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: status %d", p, resp.StatusCode)
		}
		pages[p[:len("/api/xxxx")]] = readJSON(w.t.(*testing.T), resp.body).(map[string]any)
	}
	pool, network, client := pages["/api/pool"], pages["/api/netw"], pages["/api/clie"]
	var errs []error
	float := func(m map[string]any, key string) {
		_, err := pyFloat(m, key)
		errs = append(errs, err)
	}
	whole := func(m map[string]any, key string) {
		_, err := pyInt(m, key)
		errs = append(errs, err)
	}
	float(pool, "totalHashRate")
	whole(pool, "totalMiners")
	whole(pool, "blockHeight")
	float(pool, "fee")
	float(network, "difficulty")
	float(network, "networkhashps")
	whole(network, "blocks")
	float(client, "bestDifficulty")
	whole(client, "workersCount")
	workers = map[string]bool{}
	for _, item := range client["workers"].([]any) {
		worker := item.(map[string]any)
		float(worker, "hashRate")
		float(worker, "bestDifficulty")
		workers[worker["name"].(string)] = true
	}
	return workers, errors.Join(errs...)
}

func TestHomeAssistantReads(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	workers, err := homeAssistant(w, aliceAddress)
	if err != nil || !workers["bitaxe1"] || len(workers) != 2 {
		t.Errorf("workers %v, %v", workers, err)
	}
	// Nobody mines to this address yet: no failure, and no workers.
	if workers, err := homeAssistant(w, newAddress); err != nil || len(workers) != 0 {
		t.Errorf("a new address: workers %v, %v", workers, err)
	}
	// Nothing is known yet.
	g.observer = observerView{Address: aliceAddress}
	g.dashboard.Rates, g.dashboard.Best, g.dashboard.Effort = rates{}, bests{}, nil
	if _, err := homeAssistant(w, aliceAddress); err != nil {
		t.Error(err)
	}
}

// MineMonitor remembers a worker by its place in the list.
func TestWorkersKeepTheirPlaces(t *testing.T) {
	w := open(t, newGolden())
	first := w.get("/api/client/" + aliceAddress).body
	for range 5 {
		if again := w.get("/api/client/" + aliceAddress).body; again != first {
			t.Fatalf("another order:\n%s\n%s", first, again)
		}
	}
}

// arduino is the memory of a NerdMiner's JSON reader: a document of 2048 bytes in
// which each member and each element takes a slot of 16, and texts their length.
// Only what its filter names is kept.
type arduino struct{ left int }

func (a *arduino) keep(text string) bool {
	a.left -= 16
	if text != "" {
		a.left -= len(text) + 1
	}
	return a.left >= 0
}

// nerdMiner reads as BitMaker-hub/NerdMiner_v2 does (monitor.cpp) and returns what
// its screen shows. What does not fit any more is as if it had not been sent.
func nerdMiner(t *testing.T, body string) (workers int64, best, hashrate float64) {
	t.Helper()
	memory, dec := &arduino{left: 2048}, json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	token := func() json.Token {
		tok, err := dec.Token()
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	token() // {
	for dec.More() {
		switch key := token(); key {
		case "bestDifficulty":
			if v, ok := token().(json.Number); ok && memory.keep("bestDifficulty") {
				best, _ = v.Float64()
			}
		case "workersCount":
			if v, ok := token().(json.Number); ok && memory.keep("workersCount") {
				workers, _ = v.Int64()
			}
		case "workers":
			var list []map[string]any
			if err := dec.Decode(&list); err != nil {
				t.Fatal(err)
			}
			for _, worker := range list {
				if !memory.keep("") || !memory.keep(worker["sessionId"].(string)) || !memory.keep("") {
					break
				}
				rate, err := pyFloat(worker, "hashRate")
				if err != nil {
					t.Fatal(err)
				}
				hashrate += rate
			}
		default:
			var skipped any
			if err := dec.Decode(&skipped); err != nil {
				t.Fatal(err)
			}
		}
	}
	return workers, best, hashrate
}

func TestNerdMinerReads(t *testing.T) {
	w := open(t, newGolden())
	workers, best, hashrate := nerdMiner(t, w.get("/api/client/"+aliceAddress).body)
	if workers != 3 || best != 48.2e9 || hashrate < 1.2e12 {
		t.Errorf("screen shows %d workers, best %g, %g H/s", workers, best, hashrate)
	}
	// A farm does not fit into the device, but what it says of itself does.
	many := ppClientJSON{Best: 48.2e9, Count: 150}
	for i := range 150 {
		many.Workers = append(many.Workers, ppWorkerJSON{Session: fmt.Sprintf("%08x", i), Name: "rig", Best: "1.00", Hashrate: 1e12})
	}
	body, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	if workers, best, hashrate := nerdMiner(t, string(body)); workers != 150 || best != 48.2e9 || hashrate < 20e12 {
		t.Errorf("of a farm the screen shows %d workers, best %g, %g H/s", workers, best, hashrate)
	}
}

// bigInt is what JavaScript's BigInt() takes of a JSON number: an integer.
var bigInt = regexp.MustCompile(`^-?\d+$`)

// ckHashrate is convertHashrate of mrv777/ckstats: digits and a letter, or BigInt.
var ckHashrate = regexp.MustCompile(`^\d+(\.\d+)?[ZEPTGMK]$`)

func checkCKStats(t *testing.T, where string, m map[string]any, counts ...string) {
	t.Helper()
	for key, v := range m {
		if !strings.HasPrefix(key, "hashrate") {
			continue
		}
		if text, ok := v.(string); !ok || !ckHashrate.MatchString(text) && !bigInt.MatchString(text) {
			t.Errorf("%s.%s: %v is no hash rate", where, key, v)
		}
	}
	for _, key := range counts {
		if n, ok := m[key].(json.Number); !ok || !bigInt.MatchString(n.String()) {
			t.Errorf("%s.%s: %v is no integer", where, key, m[key])
		}
	}
	if _, there := m["bestshare"]; there {
		if _, err := pyFloat(m, "bestshare"); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
}

func TestCKStatsReads(t *testing.T) {
	w := open(t, newGolden())
	merged := map[string]any{}
	lines := 0
	for line := range strings.SplitSeq(w.get("/pool/pool.status").body, "\n") {
		if line == "" {
			continue
		}
		lines++
		for key, v := range readJSON(t, line).(map[string]any) {
			merged[key] = v
		}
	}
	if lines != 3 {
		t.Errorf("%d lines, want 3", lines)
	}
	checkCKStats(t, "pool", merged, "runtime", "lastupdate", "Users", "Workers", "Idle", "Disconnected", "accepted", "rejected", "bestshare")
	for _, key := range []string{"hashrate1m", "hashrate5m", "hashrate15m", "hashrate1hr", "hashrate6hr", "hashrate1d", "hashrate7d", "diff", "SPS1m", "SPS5m", "SPS15m", "SPS1h"} {
		if merged[key] == nil {
			t.Errorf("pool.%s is missing", key)
		}
	}

	user := readJSON(t, w.get("/users/"+aliceAddress).body).(map[string]any)
	checkCKStats(t, "user", user, "lastshare", "workers", "shares", "bestever", "authorised")
	workers := user["worker"].([]any)
	if len(workers) != 2 {
		t.Fatalf("%d workers", len(workers))
	}
	for _, item := range workers {
		worker := item.(map[string]any)
		checkCKStats(t, "worker", worker, "lastshare", "shares", "bestever")
		if name := worker["workername"].(string); !strings.HasPrefix(name, aliceAddress+".") {
			t.Errorf("workername %q", name)
		}
	}
	if resp := w.get("/users/" + newAddress); resp.StatusCode != http.StatusNotFound {
		t.Errorf("an address that nobody mines to: status %d; ckstats wants 404", resp.StatusCode)
	}
}

// ckstats takes the network's difficulty, and all odds, from two fields of the pool:
// accepted · 10000 / round(diff · 100), in integers, where nothing but a diff of zero
// keeps it from dividing by zero.
func TestCKStatsLearnsTheDifficulty(t *testing.T) {
	for effort, want := range map[float64]float64{0: 0, 0.0000412: 0, 0.37: 150.84e12, 2.5: 150.84e12} {
		g := newGolden()
		g.dashboard.Effort = &effort
		_, last, _ := strings.Cut(open(t, g).get("/pool/pool.status").body, "hashrate7d")
		_, last, _ = strings.Cut(last, "\n")
		var pool struct {
			Diff     float64 `json:"diff"`
			Accepted int64   `json:"accepted"`
		}
		if err := json.Unmarshal([]byte(last), &pool); err != nil {
			t.Fatal(err)
		}
		got := 0.0
		if pool.Diff != 0 {
			got = float64(pool.Accepted * 10000 / int64(math.Round(pool.Diff*100)))
		}
		if math.Abs(got-want) > want/1000 {
			t.Errorf("effort %g: it learns a difficulty of %g, want %g", effort, got, want)
		}
	}
}

func TestSuffixed(t *testing.T) {
	for hs, want := range map[float64]string{
		0: "0", 0.4: "0", 532.4: "532", 999.4: "999", 999.6: "1.00K", 78_300: "78.3K", 1.63e12: "1.63T", 12.34e12: "12.3T",
		123.4e12: "123T", 999.4e12: "999T", 999.6e12: "1.00P", 1.5e18: "1500P", 9.996e6: "10.0M", 99.96e6: "100M",
	} {
		if got := suffixed(hs); got != want {
			t.Errorf("suffixed(%g) = %q, want %q", hs, got, want)
		}
	}
}

// A person who opens a user's address in the browser gets the page.
func TestUserInTheBrowser(t *testing.T) {
	w := open(t, newGolden())
	html := func(r *http.Request) { r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8") }
	if resp := w.get("/users/"+aliceAddress, html); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/observer/"+aliceAddress {
		t.Errorf("status %d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if resp := w.get("/users/nonsense", html); resp.StatusCode != http.StatusBadRequest {
		t.Errorf("no address: status %d", resp.StatusCode)
	}
	if resp := w.visitPort().get("/users/"+aliceAddress, html); resp.StatusCode != http.StatusOK {
		t.Errorf("on the API's port, which has no pages: status %d", resp.StatusCode)
	}
}

// A worker and a session are found by name and number, and nothing else is.
func TestClientParts(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	base := "/api/client/" + aliceAddress
	for p, want := range map[string]int{
		base + "/bitaxe1":               http.StatusOK,
		base + "/bitaxe1/a1000003":      http.StatusOK,
		base + "/bitaxe1/a1000002":      http.StatusNotFound, // of another worker
		base + "/bitaxe1/00000000":      http.StatusNotFound,
		base + "/s19":                   http.StatusNotFound, // of another address
		base + "/worker":                http.StatusNotFound,
		base + "/%3Cscript%3Ealert(1)":  http.StatusNotFound,
		base + "/chart":                 http.StatusOK,
		base + "/..%2f..%2fapi%2fstats": http.StatusNotFound,
		"/api/client/nonsense":          http.StatusBadRequest,
		"/api/client/nonsense/chart":    http.StatusBadRequest,
		"/api/client/nonsense/rig/1":    http.StatusBadRequest,
	} {
		if resp := w.get(p); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", p, resp.StatusCode, want)
		}
	}
	points := readJSON(t, w.get(base+"/chart").body).([]any)
	if len(points) == 0 || len(points) > 144 {
		t.Errorf("%d points, want at most a day of 10-minute slots", len(points))
	}
	for _, p := range points {
		if _, err := pyFloat(p.(map[string]any), "data"); err != nil {
			t.Error(err)
		}
	}
	// The worker without a name has one here.
	g.observer.Workers = []workerLine{{Address: aliceAddress, Best: bests{Ever: new(5.0)}}}
	if v := readJSON(t, w.get(base+"/worker").body).(map[string]any); v["name"] != "worker" || len(v["chartData"].([]any)) == 0 {
		t.Errorf("worker without a name: %v", v["name"])
	}
}
