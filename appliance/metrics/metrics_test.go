package metrics

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var update = flag.Bool("update", false, "write the golden file anew")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// full is a box of which everything is known.
func full() Snapshot {
	ago := func(d time.Duration) time.Time { return noon.Add(-d) }
	return Snapshot{
		At: noon, Release: "1.2.3", Network: "main", Started: ago(50 * time.Hour),
		Health: []Check{{"node", 1}, {"wallet", 0.5}, {"disk", 0}},
		Mine: &Mine{
			Serving: true, Connections: 3, Difficulty: new(1536.0), Hashrates: map[string]float64{"10m": 97e12, "1h": 96e12, "24h": 97e12, "7d": 96e12},
			Accepted: 18_511, Rejected: map[string]int64{"stale": 9, "low-difficulty": 3}, Work: 3 * difficultyOne * 1e6, LastShare: ago(3 * time.Second),
			BestNow: new(9.1e9), BestEver: new(1.31e12), NetworkDifficulty: new(150.84e12), RoundWork: new(6.2e9), Height: 925_001,
			TemplateAt: ago(12 * time.Second), TemplateTxs: 3120, Coinbase: []Output{{"bc1qalice", 312_000_000}, {"bc1qbob", 600_000}}, CoinbaseValue: 312_600_000,
			Tips: 300, FirstNotify: new(41 * time.Millisecond), LastNotify: new(45 * time.Millisecond),
			JobAge: Ages{Bounds: []time.Duration{time.Second, 5 * time.Second}, Counts: []uint64{4, 3, 2}, Sum: 40 * time.Second},
			Blocks: []Block{{strings.Repeat("0", 60) + "7be1", 924_980, ago(5 * time.Hour)}}, States: map[string]int64{"found": 0, "unknown": 0, "accepted": 1, "mature": 0, "orphaned": 1, "stale": 0, "rejected": 0},
		},
		Workers: []Worker{
			{Address: "bc1qalice", Name: "bitaxe1", Work: difficultyOne * 1e6, Week: 1e12, BestNow: new(2.1e9), BestEver: 48.2e9, LastShare: ago(3 * time.Second)},
			{Address: "bc1qalice", Name: "", Work: difficultyOne * 5e5, Week: 5e11, BestEver: 3.3e9, LastShare: ago(14 * time.Hour)},
			{Address: "bc1qbob", Name: "s19", Work: difficultyOne * 15e5, Week: 95e12, BestNow: new(9.1e9), BestEver: 1.31e12, LastShare: ago(12 * time.Second)},
			{Address: "bc1qbob", Name: "gone", Work: difficultyOne, Week: 0, BestEver: 1, LastShare: ago(8 * 24 * time.Hour)},
		},
		Node: Node{
			Synced: true, Asked: true, Height: 925_001, Peers: 10, TipAt: ago(4 * time.Minute), Restarts: 1,
			Median: 3 * time.Millisecond, P99: 40 * time.Millisecond, Calls: 15_204, Failed: 3, Waited: 51 * time.Second,
		},
		Money: &Money{
			Owed: map[string]int64{"pending": 311_058_112, "payable": 1_267_510, "reserved": 512_000}, Wallet: map[string]int64{"trusted": 3_100_000, "immature": 314_200_114, "pending": 0},
			Payouts: map[string]int{
				"draft": 0, "pending": 1, "approved": 0, "signed": 0, "broadcast": 0, "confirmed": 0, "settled": 41,
				"cancelled": 2, "expired": 1, "cancelling": 0, "failed": 0,
			},
		},
		Machine: Machine{new(1188e9), new(2000e9), new(3.1e9), new(0.12), new(51.5)},
		Jobs:    []Job{{"block-check", ago(50 * time.Second), true}, {"payout-draft", ago(6 * time.Hour), false}},

		LoginFailures: 2, Backup: ago(9 * time.Hour),
	}
}

// registry is one with the box alone, without the process.
func registry(s Snapshot, err error) *prometheus.Registry {
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(newCollector(func() (Snapshot, error) { return s, err }))
	return r
}

// exposed is the text that a scrape gets.
func exposed(t testing.TB, s Snapshot) string {
	t.Helper()
	families, err := registry(s, nil).Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

// Every name, label and figure, as Prometheus reads it.
func TestGolden(t *testing.T) {
	file := filepath.Join("testdata", "full.txt")
	got := exposed(t, full())
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the figures have changed; -update writes them (-want +got):\n%s", diff)
	}
}

// The names of earlier pools with their labels, which dashboards ask for. They are
// written down here once more, so that nobody renames one by chance.
func TestLegacyNames(t *testing.T) {
	want := map[string]string{
		"shares_accepted_total": "", "shares_rejected_total": "", "accepted_difficulty_total": "",
		"best_share": "", "best_share_ever": "", "pool_difficulty": "", "start_time_seconds": "", "last_update_seconds": "",
		"worker_shares_valid_total": "btcaddress workername", "worker_best_share": "btcaddress workername",
		"worker_best_share_ever": "btcaddress workername", "worker_last_share_at": "btcaddress workername",
		"coinbase_output": "index address", "coinbase_total": "", "user_shares_valid_total": "btcaddress", "network_difficulty": "",
		"work_since_last_block": "", "bitcoin_blocks_found_total": "", "bitcoin_block_found_time_seconds": "blockhash height",
	}
	got := map[string]string{}
	for _, f := range legacyFamilies() {
		got[f.Name] = strings.Join(f.Labels, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("names and labels (-want +got):\n%s", diff)
	}
}

// The linter of Prometheus has nothing to say but of the names that we did not choose.
func TestLint(t *testing.T) {
	problems, err := testutil.GatherAndLint(registry(full(), nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if p.Metric != "coinbase_total" { // a gauge with the name of a counter
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// A counter of earlier pools counts hashes, as its rate is shown as a hash rate.
func TestWorkIsInHashes(t *testing.T) {
	text := exposed(t, full())
	for _, line := range []string{
		`worker_shares_valid_total{btcaddress="bc1qalice",workername="bitaxe1"} 4.294967296e+15`,
		`user_shares_valid_total{btcaddress="bc1qalice"} 6.442450944e+15`,
		"accepted_difficulty_total 3e+06",
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("there is no line %s", line)
		}
	}
}

// What nobody knows has no line, and nothing is made up for it.
func TestUnknown(t *testing.T) {
	got := exposed(t, Snapshot{At: noon, Release: "dev", Network: "main"})
	var names []string
	for line := range strings.Lines(got) {
		if !strings.HasPrefix(line, "#") {
			names = append(names, strings.TrimSpace(line))
		}
	}
	want := []string{
		`pool_info{network="main",version="dev"} 1`, "pool_login_failures_total 0", "pool_node_restarts_total 0", "pool_node_synced 0",
		"pool_rpc_duration_seconds_sum 0", "pool_rpc_duration_seconds_count 0", "pool_rpc_failures_total 0", "pool_serving 0",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Names of strangers make no lines of their own, and spoil nothing for the others.
func TestHostileNames(t *testing.T) {
	s := full()
	hostile := []string{`"} 1e9`, "a\nworker_best_share_ever{} 7", `\`, "\xff\xfe", "\xff\xfd", `<script>`, "{__name__=\"x\"}", "\x00", "工人", ""}
	s.Workers = nil
	for _, name := range hostile {
		s.Workers = append(s.Workers, Worker{Address: "bc1qmallory", Name: name, Work: 1, LastShare: noon})
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(exposed(t, s)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range families["worker_shares_valid_total"].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "workername" {
				names[l.GetValue()] = true
			}
		}
	}
	// The two that are no UTF-8 look alike; then the first one stays.
	want := map[string]bool{"�": true}
	for _, name := range hostile {
		if utf8.ValidString(name) {
			want[name] = true
		}
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if n := len(families["worker_best_share_ever"].GetMetric()); n != len(want) {
		t.Errorf("%d lines of worker_best_share_ever, want %d", n, len(want))
	}
}

// A flood of names does not push out who really works, and there are never more lines
// than allowed; the sums are those of all.
func TestCap(t *testing.T) {
	s := full()
	for i := range 3 * MaxWorkers {
		s.Workers = append(s.Workers, Worker{Address: fmt.Sprintf("bc1q%d", i), Name: "x", Work: 1, Week: 1, LastShare: noon})
	}
	for i := range 2 * MaxBlocks {
		s.Mine.Blocks = append(s.Mine.Blocks, Block{fmt.Sprint(i), int32(i), noon})
	}
	text := exposed(t, s)
	for _, name := range []string{"worker_shares_valid_total", "worker_last_share_at", "user_shares_valid_total"} {
		if n := strings.Count(text, "\n"+name+"{"); n != MaxWorkers {
			t.Errorf("%d lines of %s, want %d", n, name, MaxWorkers)
		}
	}
	if n := strings.Count(text, "\nbitcoin_block_found_time_seconds{"); n != MaxBlocks {
		t.Errorf("%d blocks, want %d", n, MaxBlocks)
	}
	left := 3 + 3*MaxWorkers - MaxWorkers
	if !strings.Contains(text, `workername="bitaxe1"`) || !strings.Contains(text, fmt.Sprintf("\npool_workers_left_out %d\n", left)) {
		t.Error("a real worker was left out, or nobody says how many were")
	}
}

// Without pages for observers no address is told in full.
func TestShortAddresses(t *testing.T) {
	s := full()
	const address = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
	s.Workers[0].Address, s.Mine.Coinbase[0].Address = address, address
	if text := exposed(t, s); !strings.Contains(text, `btcaddress="`+address) || !strings.Contains(text, `address="`+address+`",index="0"`) {
		t.Error("addresses are cut although they may be looked up")
	}
	s.Short = true
	text := exposed(t, s)
	if strings.Contains(text, address) || !strings.Contains(text, `worker_best_share_ever{btcaddress="bc1qar0s…zzwf5mdq",workername="bitaxe1"}`) {
		t.Errorf("addresses in full:\n%s", text)
	}
	if s.Workers[0].Address != address || s.Mine.Coinbase[0].Address != address {
		t.Error("the snapshot was changed")
	}
}

// When the box cannot be read the scrape fails, rather than tell a part.
func TestFailure(t *testing.T) {
	if _, err := registry(full(), errors.New("disk I/O error")).Gather(); err == nil || !strings.Contains(err.Error(), "disk I/O error") {
		t.Errorf("error %v", err)
	}
}

// The figures of the process come with those of the box.
func TestRegistry(t *testing.T) {
	families, err := NewRegistry(func() (Snapshot, error) { return full(), nil }).Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	if !names["go_goroutines"] || !names["process_resident_memory_bytes"] || !names["pool_info"] {
		t.Errorf("names %q", slices.Sorted(maps.Keys(names)))
	}
}

// BenchmarkScrape is a scrape of a box with 100 workers, from snapshot to text.
func BenchmarkScrape(b *testing.B) {
	s := full()
	for i := range 100 {
		s.Workers = append(s.Workers, Worker{Address: fmt.Sprintf("bc1q%d", i/10), Name: fmt.Sprint("rig", i), Work: 1e15, Week: 1e12, LastShare: noon})
	}
	r := NewRegistry(func() (Snapshot, error) { return s, nil })
	for b.Loop() {
		families, err := r.Gather()
		if err != nil {
			b.Fatal(err)
		}
		var text strings.Builder
		for _, f := range families {
			if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
				b.Fatal(err)
			}
		}
	}
}
