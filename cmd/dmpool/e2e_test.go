//go:build e2e

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/sqlite"
)

// TestE2E is the main job: from an empty directory to a payout that a person
// approves in a browser and that confirms on the chain, on a real node, with the
// program that users run. Then the daemon is killed without warning and started
// again.
func TestE2E(t *testing.T) {
	bitcoind, browser := needed(t, "DMPOOL_BITCOIND"), needed(t, "DMPOOL_BROWSER")
	program := buildProgram(t)
	box := t.TempDir()

	d := startDemo(t, program, box, bitcoind)
	for _, step := range []string{"node-ready", "first-share", "first-block"} {
		d.await(step, 2*time.Minute)
	}

	// A stranger's CPU miner knows only the printed URL and its own address.
	guest := "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
	mineAs(t, program, d.stratum, guest+".guest")

	d.await("first-mature-block", 5*time.Minute)
	d.await("payout-drafted", time.Minute)

	tab := openBrowser(t, browser)
	signIn(t, tab, d)
	approve(t, tab, d)
	d.await("payout-approved", 30*time.Second)
	settled := d.await("payout-settled", 2*time.Minute)
	paid := field(settled, "txid")

	guestIsSeen(t, d, guest)
	observerShows(t, tab, d, paid)
	booksAgreeWithWallet(t, box)

	// The power goes out. What was is still there, and mining goes on.
	d.kill()
	d = startDemo(t, program, box, bitcoind)
	d.await("first-block", 2*time.Minute)
	observerShows(t, tab, d, paid)
	booksAgreeWithWallet(t, box)

	// So does the node alone.
	d.killNode()
	d.awaitNewBlock(t)
	d.stop(t)
}

// needed returns the value of an environment variable, without which the test
// skips, or fails where everything has to run.
func needed(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" && os.Getenv("DMPOOL_TEST_ALL") != "" {
		t.Fatalf("%s is not set; run make test", name)
	}
	if value == "" {
		t.Skipf("%s is not set; make test sets it", name)
	}
	return value
}

// buildProgram builds dmpool as users get it. The race detector would slow the
// built-in miners down too much; the whole box runs under it in appliance.
func buildProgram(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "dmpool")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return program
}

// demoProcess is a running `dmpool demo`.
type demoProcess struct {
	t        *testing.T
	cmd      *exec.Cmd
	box      string
	url      string
	stratum  string
	password string
	ended    chan error
	stderr   *lockedBuffer

	mu    sync.Mutex
	lines []string
	grown chan struct{}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func startDemo(t *testing.T, program, box, bitcoind string) *demoProcess {
	t.Helper()
	d := &demoProcess{t: t, box: box, ended: make(chan error, 1), grown: make(chan struct{}), stderr: &lockedBuffer{}}
	d.cmd = exec.CommandContext(t.Context(), program, "demo", "--data-dir", box, "--bitcoind", bitcoind,
		"--http", "127.0.0.1:0", "--stratum", "127.0.0.1:0")
	d.cmd.Cancel = func() error { return d.cmd.Process.Signal(os.Interrupt) }
	d.cmd.WaitDelay = time.Minute
	d.cmd.Stderr = d.stderr
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.read(out)
		d.ended <- d.cmd.Wait()
	}()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the demo printed:\n%s\nand logged:\n%s", strings.Join(d.printed(), "\n"), d.stderr)
		}
		if d.cmd.ProcessState == nil {
			_ = d.cmd.Process.Signal(os.Interrupt) // it may have ended by now
		}
	})
	d.url = d.find(regexp.MustCompile(`Pages +(http://localhost:\d+)`))
	d.password = d.find(regexp.MustCompile(`Password +(\S+)`))
	d.stratum = d.find(regexp.MustCompile(`Stratum +(stratum\+tcp://\S+)`))
	// The demo prints the address for the home network; this test listens on loopback only.
	d.stratum = regexp.MustCompile(`//.*:`).ReplaceAllString(d.stratum, "//127.0.0.1:")
	return d
}

func (d *demoProcess) read(out io.Reader) {
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		d.mu.Lock()
		d.lines = append(d.lines, scanner.Text())
		close(d.grown)
		d.grown = make(chan struct{})
		d.mu.Unlock()
	}
}

func (d *demoProcess) printed() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]string(nil), d.lines...)
}

// line waits for a printed line that match accepts.
func (d *demoProcess) line(what string, limit time.Duration, match func(string) bool) string {
	d.t.Helper()
	deadline := time.After(limit)
	for {
		d.mu.Lock()
		lines, grown := d.lines, d.grown
		d.mu.Unlock()
		for _, l := range lines {
			if match(l) {
				return l
			}
		}
		select {
		case <-grown:
		case err := <-d.ended:
			d.t.Fatalf("the demo ended before %s: %v", what, err)
		case <-deadline:
			d.t.Fatalf("no %s within %v", what, limit)
		}
	}
}

func (d *demoProcess) await(step string, limit time.Duration) string {
	d.t.Helper()
	line := d.line("STEP "+step, limit, func(l string) bool { return strings.HasPrefix(l, "STEP "+step+" ") })
	d.t.Log(line)
	return line
}

func (d *demoProcess) find(re *regexp.Regexp) string {
	d.t.Helper()
	line := d.line(re.String(), 30*time.Second, re.MatchString)
	return re.FindStringSubmatch(line)[1]
}

func field(line, name string) string {
	_, rest, _ := strings.Cut(line, " "+name+"=")
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// kill ends the daemon as a power cut would.
func (d *demoProcess) kill() {
	d.t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	if err := <-d.ended; err == nil {
		d.t.Error("the killed demo ended as if it had been asked to")
	}
}

// killNode ends bitcoind as a power cut would.
func (d *demoProcess) killNode() {
	d.t.Helper()
	killed := 0
	for task := range strings.FieldsSeq(childrenOf(d.t, d.cmd.Process.Pid)) {
		var pid int
		if _, err := fmt.Sscan(task, &pid); err != nil {
			d.t.Fatal(err)
		}
		if syscall.Kill(pid, syscall.SIGKILL) == nil {
			killed++
		}
	}
	if killed == 0 {
		d.t.Fatal("the daemon has no bitcoind to kill")
	}
}

// childrenOf lists the children of every thread of a process.
func childrenOf(t *testing.T, pid int) string {
	t.Helper()
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// awaitNewBlock waits until the ledger has an accepted block that is higher
// than all it has now.
func (d *demoProcess) awaitNewBlock(t *testing.T) {
	t.Helper()
	books := openBooks(t, d.box)
	newest := func() int32 {
		blocks, err := books.Blocks(t.Context(), 5, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if b.State == ledger.StateAccepted {
				return b.Height
			}
		}
		return 0
	}
	before := newest()
	for range 240 {
		if newest() > before {
			return
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatalf("no block above %d after the node was killed", before)
}

// stop ends the demo with Ctrl-C and checks that it takes the node along.
func (d *demoProcess) stop(t *testing.T) {
	t.Helper()
	children := strings.Fields(childrenOf(t, d.cmd.Process.Pid))
	if err := d.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-d.ended:
		if err != nil {
			t.Errorf("Ctrl-C: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("Ctrl-C did not end the demo within 30 s")
	}
	for _, pid := range children {
		if _, err := os.Stat("/proc/" + pid); err == nil {
			t.Errorf("process %s outlived the demo", pid)
		}
	}
}

// mineAs runs the CPU miner until the test ends.
func mineAs(t *testing.T, program, url, user string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, program, "miner", "-o", url, "-u", user, "-t", "1", "--max-hashrate", "1000000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
}

func openBrowser(t *testing.T, path string) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.WindowSize(1280, 1000))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	tab, _ := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(tab); err != nil {
			t.Logf("close browser: %v", err)
		}
		cancel()
	})
	// The browser lives as long as the context of its first run, so that one
	// has no limit.
	if err := chromedp.Run(tab); err != nil {
		t.Fatalf("start browser: %v", err)
	}
	return tab
}

func do(t *testing.T, tab context.Context, what string, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(tab, 30*time.Second)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		var page string
		last, cancel := context.WithTimeout(tab, 5*time.Second)
		defer cancel()
		_ = chromedp.Run(last, chromedp.Text("body", &page))
		t.Fatalf("%s: %v; the page says:\n%s", what, err, page)
	}
}

// fill fills a field and looks whether it stays: the first live update of
// a page puts a fresh field in the place of one that nobody has touched yet.
func fill(t *testing.T, tab context.Context, field, text string) {
	t.Helper()
	var got string
	var err error
	for range 10 {
		ctx, cancel := context.WithTimeout(tab, 10*time.Second)
		err = chromedp.Run(ctx, chromedp.SetValue(field, text, chromedp.ByQuery), chromedp.Value(field, &got, chromedp.ByQuery))
		cancel()
		if err == nil && got == text {
			return
		}
	}
	t.Fatalf("field %s holds %q, want %q (%v)", field, got, text, err)
}

func signIn(t *testing.T, tab context.Context, d *demoProcess) {
	t.Helper()
	do(t, tab, "sign in",
		chromedp.Navigate(d.url+"/"),
		chromedp.WaitVisible("#user"),
		chromedp.SendKeys("#user", demoUser),
		chromedp.SendKeys("#password", d.password),
		chromedp.Click("form[action='/login'] button[type=submit]"),
		chromedp.WaitVisible(".menu"),
	)
	var health string
	do(t, tab, "dashboard", chromedp.WaitVisible("#live-status a"), chromedp.Text("#live-status", &health))
	if !strings.Contains(health, "All good") {
		t.Errorf("the dashboard says %q", health)
	}
	screenshot(t, tab, "dashboard")
}

// approve does what the operator does: payouts page, payout, total, password.
func approve(t *testing.T, tab context.Context, d *demoProcess) {
	t.Helper()
	var form string
	do(t, tab, "open the payout",
		chromedp.Navigate(d.url+"/payouts"),
		chromedp.Click("main a[href^='/payouts/']"),
		chromedp.WaitVisible("#total"),
		chromedp.Text("#total-hint", &form),
	)
	screenshot(t, tab, "payout")
	total := regexp.MustCompile(`\D`).ReplaceAllString(form, "")

	fill(t, tab, "#total", total)
	fill(t, tab, "#password", "not the password")
	do(t, tab, "approve with a wrong password",
		chromedp.Click("form[action$='/approve'] button[type=submit]"),
		chromedp.WaitVisible("#wrong"),
	)
	fill(t, tab, "#password", d.password)
	do(t, tab, "approve",
		chromedp.Click("form[action$='/approve'] button[type=submit]"),
		chromedp.WaitVisible("#said-h"),
	)
}

// guestIsSeen waits until the pool's API shows the stranger's work.
func guestIsSeen(t *testing.T, d *demoProcess, address string) {
	t.Helper()
	var seen struct {
		Shares int64 `json:"total_shares"`
	}
	for range 120 {
		getJSON(t, d.url+"/api/observer/"+address, &seen)
		if seen.Shares > 0 {
			return
		}
		time.Sleep(time.Second)
	}
	t.Error("the guest's shares do not show on its observer page")
}

// observerShows looks for a settled payment on the page of an address that the
// transaction paid.
func observerShows(t *testing.T, tab context.Context, d *demoProcess, txid string) {
	t.Helper()
	address := paidAddress(t, d.box, txid)
	var text string
	do(t, tab, "observer page",
		chromedp.Navigate(d.url+"/observer"),
		chromedp.SendKeys("input[name=address]", address+"\n", chromedp.ByQuery),
		chromedp.WaitVisible("body.page-observer h1", chromedp.ByQuery),
		chromedp.Text("main", &text, chromedp.ByQuery),
	)
	if !strings.Contains(text, txid) && !strings.Contains(text, txid[:8]) {
		t.Errorf("the observer page of %s does not show transaction %s:\n%s", address, txid, text)
	}
	screenshot(t, tab, "observer")

	var payouts struct {
		Items []struct {
			State string `json:"state"`
			TxID  string `json:"txid"`
		} `json:"items"`
	}
	getJSON(t, d.url+"/api/observer/"+address+"/payouts", &payouts)
	for _, p := range payouts.Items {
		if p.TxID == txid && p.State == "settled" {
			return
		}
	}
	t.Errorf("the API of %s has no settled payout %s: %+v", address, txid, payouts)
}

func getJSON(t *testing.T, url string, out any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusTooManyRequests {
		time.Sleep(5 * time.Second)
		return
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		t.Fatalf("%s: %s: %v", url, resp.Status, err)
	}
}

// openBooks reads the box's ledger beside the running daemon.
func openBooks(t *testing.T, box string) *ledger.Ledger {
	t.Helper()
	db, err := sqlite.Open(t.Context(), filepath.Join(box, "practice", "ledger.db"), ledger.Schema)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return ledger.New(db)
}

// paidAddress is one that the settled transaction paid.
func paidAddress(t *testing.T, box, txid string) string {
	t.Helper()
	books := openBooks(t, box)
	balances, err := books.Balances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range balances {
		if b.Paid > 0 {
			return b.Address
		}
	}
	t.Fatalf("nobody was paid by %s", txid)
	return ""
}

// booksAgreeWithWallet compares the ledger's sums with the wallet's balance.
// Both move with every block, so they are read until they were read at rest.
func booksAgreeWithWallet(t *testing.T, box string) {
	t.Helper()
	books := openBooks(t, box)
	wallet := nodeOf(t, box)
	var sums ledger.Sums
	var balances node.Balances
	for range 100 {
		var err error
		if sums, err = books.Sums(t.Context()); err != nil {
			t.Fatal(err)
		}
		if balances, err = wallet.Balances(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sums.Immature == int64(balances.Immature) && sums.Spendable == int64(balances.Trusted) {
			if err := books.Check(t.Context()); err != nil {
				t.Error(err)
			}
			t.Logf("books and wallet agree: %d sat spendable, %d sat immature, %d sat paid in chain fees",
				sums.Spendable, sums.Immature, sums.TxFee)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("books %+v, wallet %+v", sums, balances)
}

// nodeOf is the RPC of the box's own node.
func nodeOf(t *testing.T, box string) *node.Client {
	t.Helper()
	confs, err := filepath.Glob(filepath.Join(box, "practice", "node", "*", "bitcoin.conf"))
	if err != nil || len(confs) != 1 {
		t.Fatalf("bitcoin.conf: %v, %v", confs, err)
	}
	text, err := os.ReadFile(confs[0])
	if err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`(?m)^rpcport=(\d+)`).FindSubmatch(text)
	if port == nil {
		t.Fatalf("no rpcport in %s", confs[0])
	}
	client := node.New(node.Config{
		URL:        "http://127.0.0.1:" + string(port[1]),
		CookieFile: filepath.Join(filepath.Dir(confs[0]), "signet", ".cookie"),
		Wallet:     "dmpool-practice",
	})
	t.Cleanup(client.CloseIdle)
	return client
}

// screenshot keeps a picture of the page in $DMPOOL_SCREENSHOTS.
func screenshot(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("DMPOOL_SCREENSHOTS")
	if dir == "" {
		return
	}
	var png []byte
	do(t, tab, "screenshot", chromedp.FullScreenshot(&png, 100))
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
