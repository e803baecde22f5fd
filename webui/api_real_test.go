package webui

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/stratum"
)

// Every answer of the API on a real node, with a miner at work, has the shape that
// the description says, and the programs made for other pools can read theirs.
func TestAPIOnRealNode(t *testing.T) {
	t.Parallel()
	b := startRealBox(t)
	connected := func() []stratum.SessionInfo { return b.box.Pool().Status().Sessions }
	b.eventually("the first miner has gone", func() bool { return len(connected()) == 0 })
	b.mine(b.box.Pool().Listeners[0].Addr().String())
	b.eventually("a miner has sent a share", func() bool { return len(connected()) == 1 && connected()[0].Accepted > 0 })
	blocks, err := b.box.Ledger().Blocks(t.Context(), 1, 0)
	if err != nil || len(blocks) != 1 {
		t.Fatal(err)
	}
	session := connected()[0].ID
	fill := strings.NewReplacer("{hash}", blocks[0].Hash.String(), "{height}", fmt.Sprint(blocks[0].Height),
		"{address}", "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080", "{worker}", "rig", "{session}", session)

	settings, rev, err := b.box.StoredSettings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	settings.Metrics = pool.MetricsToken
	if err := b.box.ChangeSettings(t.Context(), appliance.SettingsChange{Rev: rev, Settings: settings, Actor: "admin"}); err != nil {
		t.Fatal(err)
	}
	doc := describedAPI(t)
	tabs := []*tab{b.signIn("127.0.5.1"), b.signIn("127.0.5.2")} // 60 requests a minute each
	n := 0
	for path, methods := range doc.at(map[string]any(doc), "paths").(map[string]any) {
		operation, ok := methods.(map[string]any)["get"]
		if !ok || strings.Contains(path, "{id}") {
			continue // nothing was paid yet
		}
		n++
		status, body, head := tabs[n%2].send(http.MethodGet, fill.Replace(path), "", "", nil)
		schema := doc.at(operation, "responses", fmt.Sprint(status), "content", head.Get("Content-Type"), "schema")
		if status != http.StatusOK || schema == nil {
			t.Errorf("%s: status %d, %s, %s", path, status, head.Get("Content-Type"), body)
			continue
		}
		if head.Get("Content-Type") == "application/json" {
			doc.check(t, path, schema, readJSON(t, body))
		}
	}

	read := func(path string) map[string]any {
		_, body, _ := tabs[0].send(http.MethodGet, fill.Replace(path), "", "", nil)
		return readJSON(t, body).(map[string]any)
	}
	if v := read("/api/client/{address}"); fmt.Sprint(v["workersCount"]) != "1" {
		t.Errorf("client: %v", v)
	}
	if v := read("/users/{address}"); fmt.Sprint(v["workers"]) != "1" || fmt.Sprint(v["authorised"]) == "0" || v["hashrate1m"] == "0" {
		t.Errorf("user: %v", v)
	}
	if v := read("/api/status"); fmt.Sprint(v["connections"]) != "1" || fmt.Sprint(v["shares_per_sec"]) == "0" {
		t.Errorf("status: %v", v)
	}
	if v := read("/api/dashboard"); v["pplns_window_shares"] == nil || fmt.Sprint(v["blocks_found"]) == "0" {
		t.Errorf("dashboard: %v", v)
	}
	if v := read("/api/blocks/{height}"); len(v["credits"].([]any)) == 0 {
		t.Errorf("block: %v", v)
	}
}
