package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/dmpool/dmpool/appliance/support"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// tellable are the settings that a support bundle may hold: numbers, switches, and
// choices from a list. What an operator types freely, such as names, networks and
// addresses of other programs, is not among them, and neither is what is added later,
// until somebody has thought about it.
func tellable() []string {
	return []string{
		"settlement", "min_output_sat", "fee_bps", "donation_bps", "window_milli", "underfill", "min_payout_sat",
		"start_difficulty", "min_difficulty", "max_difficulty", "small_port", "high_port", "tls_port",
		"max_sessions", "max_per_address", "submit_rate", "workless_secs", "payout_every_secs", "payout_fee_rate",
		"public_api_cors", "compatible_api", "admin_from", "observer_pages", "metrics", "amounts", "time_zone",
		"payout_fee_policy", "max_payout_sat", "max_24h_sat", "max_fee_sat", "max_fee_bps", "max_payout_items",
		"second_factor_to_send", "second_person_above_sat", "auto_approve_below_sat", "auto_approve_daily_sat",
	}
}

const (
	supportRuns    = 200              // of jobs
	supportSamples = 60               // half an hour
	supportPatient = 20 * time.Second // for all databases together
)

// Support adds to b what the running box knows of itself. What cannot be read is told
// in its place: somebody who asks for help has a box on which something fails.
func (a *Appliance) Support(ctx context.Context, b *support.Bundle) error {
	ctx, cancel := context.WithTimeout(ctx, supportPatient)
	defer cancel()
	box := a.Box()
	folders := map[string]int64{}
	for _, f := range box.Folders {
		folders[f.Name] = f.Bytes
	}
	samples := a.Samples()
	samples = samples[max(0, len(samples)-supportSamples):]
	n := a.Node(ctx)
	for _, part := range []struct {
		name string
		v    any
	}{
		{"health.json", a.Health(ctx)},
		{"node.json", map[string]any{
			"phase": n.Phase, "class": n.Class, "text": n.Text, "next": n.Next, "notice": n.Notice, "warnings": n.Warnings, "repair": n.Repair,
			"foreign": n.Address != "", "restarts": n.Restarts, "since": n.Since, "asked": n.Asked, "version": n.Version, "height": n.Height,
			"headers": n.Headers, "progress": n.Progress, "ibd": n.IBD, "peers": n.Peers, "tip_time": n.TipTime, "problem": n.Problem, "log": n.Log,
		}},
		{"machine.json", map[string]any{
			"started_at": box.StartedAt, "cores": box.Cores, "memory": box.Memory, "own_memory": box.Own, "disk": box.DiskTotal, "disk_free": box.DiskFree,
			"folders": folders, "node_calls": box.RPC, "samples": samples,
		}},
	} {
		if err := b.Told(part.name, part.v); err != nil {
			return err
		}
	}
	return supportOfFiles(ctx, a.dir, a.network, a.db.Reader(), b)
}

// SupportOf adds to b what the files of a data directory tell, whether or not a box
// runs on it. It changes nothing.
func SupportOf(ctx context.Context, dir string, b *support.Bundle) error {
	ctx, cancel := context.WithTimeout(ctx, supportPatient)
	defer cancel()
	d := dataDir{dir}
	network, err := d.used()
	if err != nil {
		return err
	}
	db := sqlite.Look(d.ledger(network))
	defer db.Close()
	return supportOfFiles(ctx, d, network, db, b)
}

func supportOfFiles(ctx context.Context, d dataDir, network string, db *sql.DB, b *support.Bundle) error {
	if err := b.Told("settings.json", map[string]any{"network": network, "settings": tellableSettings(ctx, db)}); err != nil {
		return err
	}
	runs, err := jobRuns(ctx, db, "", supportRuns)
	if err != nil {
		runs = append(runs, JobRun{Message: err.Error()})
	}
	if err := b.Told("jobs.json", runs); err != nil {
		return err
	}
	sh := sqlite.Look(d.shares(network))
	defer sh.Close()
	return b.Facts("databases.json", map[string]any{
		filepath.Base(d.ledger(network)): tablesOf(ctx, db), filepath.Base(d.shares(network)): tablesOf(ctx, sh),
	})
}

// tellableSettings are the stored settings that may be told. Which others there are
// is told, too, without what they are.
func tellableSettings(ctx context.Context, db *sql.DB) map[string]any {
	var text string
	stored := map[string]any{}
	err := db.QueryRowContext(ctx, `SELECT value FROM setting WHERE key = ?`, settingPool).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &stored)
	}
	if err != nil {
		return map[string]any{"readable": false}
	}
	all := map[string]any{}
	var others []string
	for _, key := range slices.Sorted(maps.Keys(stored)) {
		if !slices.Contains(tellable(), key) {
			others = append(others, key)
			continue
		}
		all[key] = stored[key]
	}
	all["left_out"] = others
	return all
}

// tablesOf is the version of a database and how many rows its tables have.
func tablesOf(ctx context.Context, db *sql.DB) map[string]any {
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return map[string]any{"readable": false}
	}
	rows, err := db.QueryContext(ctx, `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name`)
	if err != nil {
		return map[string]any{"version": version, "readable": false}
	}
	names, err := sqlite.Collect(rows, func(r *sql.Rows) (name string, err error) { return name, r.Scan(&name) })
	if err != nil {
		return map[string]any{"version": version, "readable": false}
	}
	counts := map[string]any{}
	for _, name := range names {
		var n int64
		// The name comes from the schema, which is ours; a placeholder cannot stand for it.
		if err := db.QueryRowContext(ctx, `SELECT count(*) FROM "`+name+`"`).Scan(&n); err != nil {
			counts[name] = nil
			continue
		}
		counts[name] = n
	}
	return map[string]any{"version": version, "rows": counts}
}
