//go:build nspawn

package packaging

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/packaging/booted"
)

const (
	deb      = "/test/dmpool.deb"
	nodeUnit = "dmpool-bitcoind@practice.service"
	payTo    = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx.test"
	password = "at least 12 characters, An upper-case one, and a special one" // in the README's example
)

// outside skips what is for the container only.
func outside(t *testing.T) {
	t.Helper()
	if !booted.Inside() {
		t.Skip("it is run in a container")
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _ := exec.Command("journalctl", "--no-pager", "-n", "200").CombinedOutput() //nolint:noctx // the test's context has ended
			t.Logf("journal:\n%s", out)
		}
	})
}

func TestInsideInstall(t *testing.T) {
	outside(t)
	firstInstall(t)
	setUp(t)
	drillInService(t)
	noTrouble(t)
}

func TestInsideLifeCycle(t *testing.T) {
	outside(t)
	firstInstall(t)
	setUp(t)
	mine(t)
	t.Run("upgrade", upgrade)
	t.Run("remove", remove)
	t.Run("purge", purge)
	t.Run("trouble", noTrouble)
}

// install installs a package the way the README says.
func install(t *testing.T, file string) string {
	t.Helper()
	return command(t, "apt-get", "install", "--yes", "--quiet", "--allow-downgrades", file)
}

// firstInstall installs the package, measures how long the pages take, and looks at
// what the person at the terminal gets to read.
func firstInstall(t *testing.T) {
	t.Helper()
	begun := time.Now()
	out := install(t, deb)
	waitFor(t, "the wizard answers", wizard)
	t.Logf("from `apt install` to the wizard: %.1f s", time.Since(begun).Seconds())
	t.Logf("apt:\n%s", out)
	if !regexp.MustCompile(`http://\S+:8080/setup\s+claim code +[0-9A-Z]{5}-[0-9A-Z]{5}`).MatchString(out) {
		t.Error("the installation does not say where to go on")
	}
	code := regexp.MustCompile(`[0-9A-Z]{5}-[0-9A-Z]{5}`).FindString(out)
	if again := command(t, "dmpool", "claim-code"); !strings.Contains(again, code) {
		t.Errorf("claim code is %s, and then\n%s", code, again)
	}
	if on := command(t, "systemctl", "is-enabled", "dmpool.service"); on != "enabled\n" {
		t.Errorf("the pool is %s", on)
	}
	if size := command(t, "dpkg-query", "--show", "--showformat=${Installed-Size}", "dmpool"); size == "" || size == "0" {
		t.Error("the package does not know its size")
	} else {
		t.Logf("installed: %s KiB", size)
	}
}

// setUp answers the set-up from the shell, as root, and waits for the node.
func setUp(t *testing.T) {
	t.Helper()
	command(t, "dmpool", "setup", "--answers", answersFile(t))
	waitFor(t, "the box is healthy", healthy)
	if strays := command(t, "find", "/var/lib/dmpool", "-not", "-user", "dmpool"); strays != "" {
		t.Errorf("not the pool's:\n%s", strays)
	}
}

// answersFile writes the answers of the README's example, for root alone.
func answersFile(t *testing.T) string {
	t.Helper()
	readme, err := os.ReadFile("/test/README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "`dmpool setup --answers answers.json` is")
	_, rest, _ := strings.Cut(section, "```json\n")
	answers, _, found := strings.Cut(rest, "```")
	if !found || !strings.Contains(answers, password) {
		t.Fatalf("the README has no example:\n%s", answers)
	}
	file := filepath.Join(t.TempDir(), "answers.json")
	if err := os.WriteFile(file, []byte(answers), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// mine lets a miner mine until there are blocks.
func mine(t *testing.T) {
	t.Helper()
	rest := startMiner(t)
	waitFor(t, "there are blocks", func() bool { return blocks() >= 3 })
	rest()
}

// upgrade brings a newer package, which leaves the node alone, and goes back to the
// one that was kept.
func upgrade(t *testing.T) {
	newer := another(t, "9.9.9")
	version := installed(t)
	node, pool, found := pid(t, nodeUnit), pid(t, "dmpool.service"), blocks()
	t.Logf("apt:\n%s", install(t, newer))
	if got := installed(t); got != "9.9.9" {
		t.Fatalf("installed is %s", got)
	}
	waitFor(t, "the box is healthy after the upgrade", healthy)
	if pid(t, "dmpool.service") == pool {
		t.Error("the old pool still runs")
	}
	if pid(t, nodeUnit) != node {
		t.Error("the upgrade has bounced the node")
	}
	kept := filepath.Join("/var/cache/dmpool", "dmpool_"+version+"_"+strings.TrimSpace(command(t, "dpkg", "--print-architecture"))+".deb")
	command(t, "dpkg-deb", "--info", kept)
	for path, want := range map[string]string{"/var/cache/dmpool": "root 755", kept: "root 644"} {
		if got := strings.TrimSpace(command(t, "stat", "--format=%U %a", path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	before := contents(t, deb)
	if after := contents(t, kept); after != before {
		t.Errorf("the package that was kept holds\n%s\nand not\n%s", after, before)
	}
	install(t, kept)
	if got := installed(t); got != version {
		t.Errorf("installed is %s, want %s", got, version)
	}
	waitFor(t, "the box is healthy after going back", healthy)
	if n := blocks(); n < found {
		t.Errorf("%d blocks, there were %d", n, found)
	}
	// No more than two are kept.
	install(t, another(t, "9.9.8"))
	install(t, newer)
	if files, err := filepath.Glob("/var/cache/dmpool/*"); err != nil || len(files) != 2 {
		t.Errorf("kept are %q", files)
	}
	install(t, deb)
	waitFor(t, "the box is healthy at the end", healthy)
}

// contents lists what is in a package: names, rights, owners and sizes, without the
// node that the test itself has put there.
func contents(t *testing.T, file string) string {
	t.Helper()
	var lines []string
	for line := range strings.Lines(command(t, "dpkg-deb", "--contents", file)) {
		f := strings.Fields(line)
		if len(f) < 6 || f[0][0] == 'd' {
			continue
		}
		lines = append(lines, f[0]+" "+f[1]+" "+f[2]+" "+f[5])
	}
	fields := strings.Split(command(t, "dpkg-deb", "--field", file), "\n")
	slices.Sort(fields)
	return strings.Join(append(lines, fields...), "\n")
}

// another makes the package anew, under another version.
func another(t *testing.T, version string) string {
	t.Helper()
	return repack(t, version, "")
}

// repack makes the package anew, under another version and, if there is one, with
// another program.
func repack(t *testing.T, version, program string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	command(t, "dpkg-deb", "--raw-extract", deb, dir)
	control := filepath.Join(dir, "DEBIAN/control")
	command(t, "sed", "-i", "s/^Version: .*/Version: "+version+"/", control)
	if program != "" {
		command(t, "cp", program, filepath.Join(dir, "usr/bin/dmpool"))
	}
	file := "/test/dmpool_" + version + ".deb"
	command(t, "dpkg-deb", "-Znone", "--build", dir, file)
	return file
}

// remove takes the package away and brings it back.
func remove(t *testing.T) {
	found := blocks()
	command(t, "apt-get", "remove", "--yes", "--quiet", "dmpool")
	for _, unit := range []string{"dmpool.service", nodeUnit} {
		if state := property(t, unit, "ActiveState"); state != "inactive" && state != "failed" {
			t.Errorf("%s is %s", unit, state)
		}
	}
	for _, path := range []string{"/usr/bin/dmpool", "/usr/lib/systemd/system/dmpool.service", "/usr/share/polkit-1/rules.d/50-dmpool.rules"} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	install(t, deb)
	waitFor(t, "the box is healthy when it is back", healthy)
	if n := blocks(); n < found {
		t.Errorf("%d blocks, there were %d", n, found)
	}
}

// purge takes everything away but what is worth something.
func purge(t *testing.T) {
	found := blocks()
	out := command(t, "apt-get", "purge", "--yes", "--quiet", "dmpool")
	t.Logf("apt:\n%s", out)
	for _, path := range []string{
		"/var/lib/dmpool/practice/ledger.db", "/var/lib/dmpool-node/practice/signet/wallets/dmpool-practice/wallet.dat",
	} {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
		if dir := filepath.Join("/", strings.Join(strings.Split(path, "/")[:4], "/")); !strings.Contains(out, dir) {
			t.Errorf("the end of purge does not name %s", dir)
		}
	}
	for _, path := range []string{"/etc/default/dmpool", "/etc/avahi/services/dmpool.service", "/var/cache/dmpool"} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is still there", path)
		}
	}
	install(t, deb)
	waitFor(t, "the box is healthy after the purge", healthy)
	if n := blocks(); n < found {
		t.Errorf("%d blocks, there were %d", n, found)
	}
}

// noTrouble looks for what has gone wrong without anybody saying so.
func noTrouble(t *testing.T) {
	t.Helper()
	nothingFailed(t)
	for _, what := range [][]string{{"--priority=err", "--grep=dmpool|bitcoin"}, {"--unit=dmpool*", "--grep=level=ERROR|panic"}} {
		// Nothing that fits is a failure to journalctl.
		out, _ := exec.CommandContext(t.Context(), "journalctl", append([]string{"--no-pager", "--quiet"}, what...)...).CombinedOutput()
		if len(out) > 0 {
			t.Errorf("errors in the journal:\n%s", out)
		}
	}
}

func nothingFailed(t *testing.T) {
	t.Helper()
	if failed := command(t, "systemctl", "--failed", "--no-legend"); failed != "" {
		t.Errorf("failed units:\n%s", failed)
	}
}

func installed(t *testing.T) string {
	t.Helper()
	return command(t, "dpkg-query", "--show", "--showformat=${Version}", "dmpool")
}

func pid(t *testing.T, unit string) string {
	t.Helper()
	return property(t, unit, "MainPID")
}

func property(t *testing.T, unit, name string) string {
	t.Helper()
	return strings.TrimSpace(command(t, "systemctl", "show", "--value", "--property="+name, unit))
}

// get asks the box for JSON.
func get(path string, into any) bool {
	resp, err := http.Get("http://127.0.0.1:8080" + path) //nolint:noctx // on this machine
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into) == nil
}

// wizard tells whether the first set-up answers.
func wizard() bool {
	resp, err := http.Get("http://127.0.0.1:8080/setup") //nolint:noctx // on this machine
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// healthy tells whether the box says of itself that it is.
func healthy() bool {
	var health struct{ Status string }
	return get("/api/health", &health) && health.Status == "healthy"
}

// calm keeps whoever waits for an answer of the API below what the pool allows.
const calm = time.Second

// blocks returns how many blocks the pool has found.
func blocks() (n int) {
	time.Sleep(calm)
	var list struct{ Total int }
	get("/api/v1/blocks", &list)
	return list.Total
}

func waitFor(t *testing.T, what string, done func() bool) {
	t.Helper()
	for limit := time.Now().Add(5 * time.Minute); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("it never came to be that %s", what)
		}
	}
}
