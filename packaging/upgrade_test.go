//go:build nspawn

package packaging

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/stratum/minersim"
)

// TestUpgrade takes a box that has mined and paid to the next version, which writes
// the books in another way, and back; while fifty miners mine, while it is killed, on
// a full disk, and behind a payment. At the end the data is deleted.
func TestUpgrade(t *testing.T) {
	boot(t, "TestInsideUpgrade", 14*time.Minute, func(root string) { buildNext(t, filepath.Join(root, "test/dmpool-next")) })
}

func TestInsideUpgrade(t *testing.T) {
	outside(t)
	firstInstall(t)
	setUp(t)
	rest := startMiner(t)
	waitFor(t, "a reward is mature", func() bool { return blocks() > 101 })
	rest()
	u := &upgrades{version: installed(t), next: nextPackage(t)}
	t.Run("payout", u.pay)
	t.Run("under load", u.underLoad)
	t.Run("back", u.back)
	t.Run("once more", u.onceMore)
	t.Run("trouble", noTrouble)
	t.Run("killed", u.killed)
	t.Run("full disk", u.fullDisk)
	t.Run("back behind a payment", u.behindPayment)
	t.Run("purge-data", purgeData)
	t.Run("at the end", nothingFailed) // what was killed and filled up has left its marks in the journal
}

// upgrades is one box on its way to the next version and back.
type upgrades struct {
	version string // of the package that is tried
	next    string // file of the next one
	paid    books  // when the first payout was settled
	schema  int    // of the ledger, at first
}

// nextPackage makes the package of the next version.
func nextPackage(t *testing.T) string {
	t.Helper()
	return repack(t, nextVersion, "/test/dmpool-next")
}

// startMiner lets a miner mine until it may rest.
func startMiner(t *testing.T) (rest func()) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "dmpool", "miner", "-o", "stratum+tcp://127.0.0.1:3333", "-u", payTo, "-t", "2")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return func() {
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	}
}

// pay pays what is due, with the version that is tried.
func (u *upgrades) pay(t *testing.T) {
	rest := startMiner(t)
	defer rest()
	payment := signIn(t).pay()
	u.paid = lookAtBooks(t)
	u.schema = u.paid.version
	t.Logf("paid %d sat with %s; %d bookings", payment.Total, payment.TxID, u.paid.events)
	if n := coins(t); n != 1 {
		t.Errorf("the miner has %d payments, want 1", n)
	}
}

// underLoad restarts the pool and brings the next version while fifty miners mine:
// nobody is refused, every miner comes back to its session.
func (u *upgrades) underLoad(t *testing.T) {
	const stratum = "127.0.0.1:3333"
	address, _, _ := strings.Cut(payTo, ".")
	crowd := minersim.NewCrowd(stratum, address, 50)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- crowd.Run(ctx, stratum, "127.0.0.1:8080", "127.0.0.1:8443") }()
	waitFor(t, "each miner has a share accepted", func() bool { return crowd.GoesOn(make([]uint64, 50)) })
	node := pid(t, nodeUnit)
	goOn := func(what string, do func()) {
		before, begun := crowd.Accepted(), time.Now()
		do()
		took := time.Since(begun)
		waitFor(t, "each miner goes on", func() bool { return crowd.GoesOn(before) })
		t.Logf("%s: %.1f s, to the last miner's next share %.1f s", what, took.Seconds(), time.Since(begun).Seconds())
	}
	goOn("restart", func() { command(t, "systemctl", "restart", "dmpool.service") })
	goOn("upgrade", func() { install(t, u.next) })
	waitFor(t, "the box is healthy", healthy)
	u.upgraded(t)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	e := crowd.Experience()
	t.Logf("%+v", e)
	if e.Refused > 0 || e.Knocks < 100 || e.FewestConnections < 3 || len(e.Rejected) > 0 {
		t.Errorf("through a restart and an upgrade: %+v", e)
	}
	if pid(t, nodeUnit) != node {
		t.Error("the node was bounced")
	}
}

// upgraded sees that the next version goes on with the books, and that there is a way
// back.
func (u *upgrades) upgraded(t *testing.T) {
	t.Helper()
	if got := installed(t); got != nextVersion {
		t.Errorf("installed is %s", got)
	}
	lookAtBooks(t).goOn(t, u.paid, u.schema+1)
	kept := filepath.Join("/var/cache/dmpool", "dmpool_"+u.version+"_"+strings.TrimSpace(command(t, "dpkg", "--print-architecture"))+".deb")
	list := command(t, "dmpool", "rollback")
	for _, want := range []string{u.copy(), "from version " + u.version, "apt install --allow-downgrades " + kept} {
		if !strings.Contains(list, want) {
			t.Errorf("%q is missing in\n%s", want, list)
		}
	}
	entries, err := os.ReadDir("/var/lib/dmpool/practice/backups")
	if err != nil {
		t.Error(err)
	}
	for _, e := range entries {
		if name := e.Name(); name != u.copy() && !strings.HasPrefix(name, "undone-") {
			t.Errorf("left is backups/%s", name)
		}
	}
}

// copy is the name of the copy of the books from before the upgrade.
func (u *upgrades) copy() string {
	about, err := filepath.Glob("/var/lib/dmpool/practice/backups/books-*")
	if err != nil || len(about) != 1 {
		return "exactly one copy of the books"
	}
	return filepath.Base(about[0])
}

// back goes back as `dmpool rollback` says.
func (u *upgrades) back(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "dmpool", "rollback", "--to", u.copy()).CombinedOutput(); err == nil {
		t.Errorf("it goes back while the pool runs: %s", out)
	}
	command(t, "systemctl", "stop", "dmpool.service")
	t.Logf("%s", command(t, "dmpool", "rollback"))
	u.goBack(t)
	waitFor(t, "the box is healthy after going back", healthy)
	now := lookAtBooks(t)
	now.goOn(t, u.paid, u.schema)
	p := signIn(t)
	if why := p.frozen(); why != "" {
		t.Errorf("payouts are frozen: %s", why)
	}
	t.Logf("%d bookings, %d blocks after going back", now.events, blocks())
	if n := coins(t); n != 1 {
		t.Errorf("the miner has %d payments, want 1", n)
	}
}

// goBack puts the copy in its place and installs the version that goes with it. The
// pool is stopped.
func (u *upgrades) goBack(t *testing.T, more ...string) {
	t.Helper()
	out := command(t, "dmpool", append([]string{"rollback", "--to", u.copy()}, more...)...)
	t.Logf("%s", out)
	_, file, found := strings.Cut(strings.TrimSpace(out), "--allow-downgrades ")
	if !found {
		t.Fatal("it does not say what to install")
	}
	install(t, file)
	if got := installed(t); got != u.version {
		t.Errorf("installed is %s", got)
	}
}

// onceMore upgrades again.
func (u *upgrades) onceMore(t *testing.T) {
	install(t, u.next)
	waitFor(t, "the box is healthy", healthy)
	u.upgraded(t)
}

// behindPayment goes back to books that do not know of a payment: the wallet does, so
// that payouts freeze and nobody is paid twice.
func (u *upgrades) behindPayment(t *testing.T) {
	rest := startMiner(t)
	defer func() { rest() }()
	payment := signIn(t).pay()
	t.Logf("paid %d sat with %s", payment.Total, payment.TxID)
	had := coins(t)
	command(t, "systemctl", "stop", "dmpool.service")
	if out, err := exec.CommandContext(t.Context(), "dmpool", "rollback", "--to", u.copy()).CombinedOutput(); err == nil || !strings.Contains(string(out), "--although-paid") {
		t.Errorf("going back behind a payment (%v): %s", err, out)
	}
	u.goBack(t, "--although-paid")
	waitFor(t, "the pool is back", func() bool { return blocks() > 0 })
	p := signIn(t)
	var why string
	waitFor(t, "payouts are frozen", func() bool { why = p.frozen(); return why != "" })
	t.Logf("frozen: %s", why)
	lookAtBooks(t).goOn(t, u.paid, u.schema)
	u.staysFrozen(t, p, had)
	install(t, u.next)
	waitFor(t, "the pool is back", func() bool { return blocks() > 0 })
	u.staysFrozen(t, signIn(t), had)
}

// staysFrozen tries to pay while blocks come and rewards mature.
func (u *upgrades) staysFrozen(t *testing.T, p *purse, had int) {
	t.Helper()
	found := blocks()
	waitFor(t, "more is mined", func() bool { return blocks() >= found+3 })
	if why := p.frozen(); why == "" {
		t.Error("payouts are not frozen")
	}
	var plan payment
	if err := p.call("/api/payments/create", map[string]any{}, &plan); err == nil || !strings.Contains(err.Error(), "frozen") {
		t.Errorf("a payout while they are frozen: %+v, %v", plan, err)
	}
	if n := coins(t); n != had {
		t.Errorf("the miner has %d payments, and had %d", n, had)
	}
}

// purgeData deletes the data, after it was told three times.
func purgeData(t *testing.T) {
	purge := func(typed string, args ...string) (string, error) {
		c := exec.CommandContext(t.Context(), "dmpool", append([]string{"purge-data"}, args...)...)
		c.Stdin = strings.NewReader(typed + "\n")
		out, err := c.CombinedOutput()
		return string(out), err
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	refuses := func(says, typed string, args ...string) {
		t.Helper()
		if out, err := purge(typed, args...); err == nil || !strings.Contains(out, says) || !exists("/var/lib/dmpool/practice/ledger.db") {
			t.Errorf("it is not %q (%v):\n%s", says, err, out)
		}
	}
	refuses("the pool runs", name, "--i-have-my-seed")
	command(t, "systemctl", "stop", "dmpool.service")
	refuses("a node, still uses", name, "--i-have-my-seed")
	command(t, "systemctl", "stop", "dmpool-bitcoind@*")
	refuses("--i-have-my-seed", name)
	refuses("not the name", name+"x", "--i-have-my-seed")
	out, err := purge(name, "--i-have-my-seed")
	if err != nil {
		t.Fatal(out)
	}
	t.Log(out)
	if left := command(t, "find", "/var/lib/dmpool", "/var/lib/dmpool-node", "-mindepth", "1"); left != "" {
		t.Errorf("left:\n%s", left)
	}
	command(t, "systemctl", "start", "dmpool.service")
	waitFor(t, "the wizard answers", wizard)
}
