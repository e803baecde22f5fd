package appliance

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/appliance/vitals"
	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// checkNames are the names of checks.
func checkNames(checks []Check) (names []string) {
	for _, c := range checks {
		names = append(names, c.Name)
	}
	return names
}

// find returns the check of a name.
func find(t *testing.T, checks []Check, name string) Check {
	t.Helper()
	for _, c := range checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("there is no check %s among %+v", name, checks)
	return Check{}
}

// idleBox is a box that is set up and does not run.
func idleBox(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "box")
	if err := SetUp(t.Context(), dir, parse(t, `{"network":"regtest","operator":{"password":"`+goodPassword+`"}}`)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func examine(t *testing.T, e Exam) Diagnosis {
	t.Helper()
	d, err := Examine(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A box that nobody has set up is told so, and nothing is made in its folder.
func TestExamineEmpty(t *testing.T) {
	dir := t.TempDir()
	d := examine(t, Exam{DataDir: dir})
	if d.Network != "" || d.Running || d.Status != Down || find(t, d.Checks, "service").Status != Down {
		t.Errorf("%+v", d)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("it left %v, %v", left, err)
	}
}

// A box that does not run is unwell for that; its books, disk and ports are looked at
// all the same, and a port is told of with the program that has it.
func TestExamineStopped(t *testing.T) {
	dir := idleBox(t)
	taken, err := Listen(t.Context(), "a test", "127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	free := WantedPort{"the web pages", "127.0.0.1:0", "--http"}
	d := examine(t, Exam{DataDir: dir, Ports: []WantedPort{free}})
	if d.Running || d.Network != "regtest" || d.Status != Down {
		t.Errorf("%+v", d)
	}
	for _, name := range []string{"db", "ledger", "backup", "shares", "disk", "memory", "clock", "ports"} {
		if c := find(t, d.Checks, name); name != "shares" && c.Status != Healthy || c.Reason == "" {
			t.Errorf("%+v", c)
		}
	}
	if c := find(t, d.Checks, "service"); c.Status != Down || !strings.Contains(c.NextStep, "dmpool serve") {
		t.Errorf("%+v", c)
	}
	d = examine(t, Exam{DataDir: dir, Ports: []WantedPort{free, {"miners", taken.Addr().String(), "--stratum"}}})
	if c := find(t, d.Checks, "ports"); c.Status != Down || !strings.Contains(c.Reason, "is taken by process") {
		t.Errorf("%+v", c)
	}
}

// A running box is asked, and what it said long ago does not count.
func TestExamineRunning(t *testing.T) {
	dir := idleBox(t)
	lock, err := dataDir{dir}.lock()
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if d := examine(t, Exam{DataDir: dir}); !d.Running || !d.Asked.IsZero() || find(t, d.Checks, "service").Status != Degraded {
		t.Errorf("a box that has just been started: %+v", d)
	}
	say := func(ago time.Duration, checks ...Check) {
		t.Helper()
		text, err := json.Marshal(toldHealth{At: time.Now().Add(-ago), Health: newHealth(checks...)})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dataDir{dir}.health("regtest"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	node := Check{Name: "node", Status: Degraded, Reason: "Loading block index…", NextStep: "Wait."}
	say(20*time.Second, node, Check{Name: "ledger", Status: Down, Reason: "Payouts are frozen."}, Check{Name: "disk", Status: Healthy, Reason: "Old."})
	d := examine(t, Exam{DataDir: dir})
	if got := find(t, d.Checks, "node"); got != node || d.Asked.IsZero() {
		t.Errorf("%+v", d)
	}
	if got := find(t, d.Checks, "ledger"); got.Status != Down {
		t.Errorf("what the box knows is lost: %+v", got)
	}
	if got := find(t, d.Checks, "disk"); got.Reason == "Old." {
		t.Error("the disk was not looked at")
	}
	say(time.Hour, node)
	d = examine(t, Exam{DataDir: dir})
	if c := find(t, d.Checks, "service"); c.Status != Down || !strings.Contains(c.Reason, "has not said how it is for 1h0m0s") {
		t.Errorf("%+v", c)
	}
}

// Books that were tampered with are found, although the pool does not run.
func TestExamineBrokenBooks(t *testing.T) {
	dir := idleBox(t)
	if c := find(t, examine(t, Exam{DataDir: dir}).Checks, "ledger"); c.Status != Healthy {
		t.Errorf("before: %+v", c)
	}
	db, err := sqlite.Open(t.Context(), dataDir{dir}.ledger("regtest"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO balance (account, bucket, amount) VALUES (?, '', 5)`, ledger.WalletSpendable)
		return err
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if c := find(t, examine(t, Exam{DataDir: dir}).Checks, "ledger"); c.Status != Down || !strings.Contains(c.Reason, "does not add up") || c.NextStep == "" {
		t.Errorf("after: %+v", c)
	}
}

// units is a systemd that tells what a test wants.
type units struct {
	bitcoind.Services
	states map[string]string // by unit; without one there is no such unit
}

func (u units) Status(_ context.Context, unit string) (bitcoind.ServiceStatus, error) {
	state, ok := u.states[unit]
	if !ok {
		return bitcoind.ServiceStatus{}, errors.New("look at " + unit + ": this machine has no such unit (masked)")
	}
	return bitcoind.ServiceStatus{Active: state}, nil
}

// Of a service it is told what systemd says, and the ports that systemd holds are not
// taken for somebody else's.
func TestExamineService(t *testing.T) {
	dir := idleBox(t)
	states := map[string]string{"dmpool.service": "failed", "dmpool-http.socket": "active", "dmpool-stratum.socket": "active"}
	d := examine(t, Exam{DataDir: dir, Units: units{states: states}})
	if c := find(t, d.Checks, "service"); !strings.Contains(c.Reason, "ended with an error") || !strings.Contains(c.NextStep, "systemctl start dmpool") {
		t.Errorf("%+v", c)
	}
	if c := find(t, d.Checks, "ports"); c.Status != Healthy {
		t.Errorf("%+v", c)
	}
	states["dmpool-stratum.socket"] = "failed"
	if c := find(t, examine(t, Exam{DataDir: dir, Units: units{states: states}}).Checks, "ports"); c.Status != Down || !strings.Contains(c.Reason, "dmpool-stratum.socket") {
		t.Errorf("%+v", c)
	}
}

// When systemd or polkit do not let the pool start its node, health says which, why and
// what to do, with the node and by itself.
func TestServiceHealth(t *testing.T) {
	const node = "dmpool-bitcoind@practice.service"
	failed := NodeStatus{Phase: "failed", Class: string(bitcoind.ClassService), Text: "The node cannot be run as a service: access denied"}
	for name, tt := range map[string]struct {
		states       map[string]string
		node         NodeStatus
		status, says string
		next         string
	}{
		"all is well":              {map[string]string{node: "active", polkitUnit: "active"}, NodeStatus{Asked: true}, Healthy, "", ""},
		"polkit is masked":         {map[string]string{node: "inactive"}, failed, Down, "polkit cannot run: look at polkit.service: this machine has no such unit (masked).", "unmask polkit.service"},
		"the node runs without it": {map[string]string{node: "active"}, NodeStatus{Asked: true}, Degraded, "polkit cannot run", "unmask polkit.service"},
		"systemd does not answer":  {nil, failed, Down, "systemd cannot be asked for the node", "systemctl status dbus"},
		"the rules are not there":  {map[string]string{node: "inactive", polkitUnit: "active"}, failed, Down, "access denied", "--reinstall dmpool"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &Appliance{config: Config{Service: &NodeService{Units: units{states: tt.states}}}, network: "practice"}
			a.runner.Store(&nodeRunner{})
			c := a.checkServiceHealth(t.Context(), tt.node)
			if c.Status != tt.status || !strings.Contains(c.Reason, tt.says) || !strings.Contains(c.NextStep, tt.next) {
				t.Errorf("%+v", c)
			}
			if tt.node.Class == "" {
				return
			}
			if n := a.checkNodeHealth(tt.node, c); n.Status != Down || n.NextStep != c.NextStep {
				t.Errorf("the node: %+v", n)
			}
		})
	}
}

func TestMemoryHealth(t *testing.T) {
	gb := func(n int64) *int64 { return new(n << 30) }
	for _, tt := range []struct {
		all, left *int64
		want      string
	}{
		{gb(8), gb(4), Healthy},
		{gb(8), new(int64(50 << 20)), Degraded},
		{gb(2), new(int64(120 << 20)), Healthy},
		{nil, nil, Healthy},
	} {
		if c := checkMemory(vitals.Reading{Memory: tt.all, Available: tt.left}); c.Status != tt.want || c.Reason == "" || (c.NextStep == "") != (tt.want == Healthy) {
			t.Errorf("%+v", c)
		}
	}
}

// Of two answers the worse counts, and of two that are alike the newer.
func TestMerge(t *testing.T) {
	check := func(name, status, reason string) Check { return Check{Name: name, Status: status, Reason: reason} }
	got := merge(
		[]Check{check("a", Healthy, "1"), check("b", Down, "1"), check("c", Degraded, "1")},
		[]Check{check("c", Down, "2"), check("b", Degraded, "2"), check("a", Healthy, "2"), check("d", Healthy, "2")},
	)
	want := []Check{check("a", Healthy, "2"), check("b", Down, "1"), check("c", Down, "2"), check("d", Healthy, "2")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The running box, and who looks at it from outside, look at the same parts.
func TestSameChecks(t *testing.T) {
	b := startBox(t, idleBox(t), realNode(t))
	b.eventually("the box has said how it is", func() bool {
		d := examine(t, Exam{DataDir: b.box.dir.root})
		return d.Running && !d.Asked.IsZero() && d.Status == Healthy
	})
	d := examine(t, Exam{DataDir: b.box.dir.root})
	if diff := cmp.Diff(checkNames(b.box.Health(t.Context()).Checks), checkNames(d.Checks)); diff != "" || !d.Running {
		t.Errorf("%+v, names (-health +doctor):\n%s", d, diff)
	}
	b.stop()
	if exists(b.box.dir.health("regtest")) {
		t.Error("a box that has stopped still says how it is")
	}
}
