//go:build e2e

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"

	"github.com/dmpool/dmpool/pool/ledger"
)

// TestE2E is the main job: from an empty directory to a payout that a person
// approves in a browser and that confirms on the chain, on a real node, with the
// program that users run. Then the daemon is killed without warning and started
// again. A payout is approved on the machine itself and over the home network,
// where browsers forbid much that they allow on localhost, with scripts and
// without.
func TestE2E(t *testing.T) {
	bitcoind := needed(t, "DMPOOL_BITCOIND")
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

	tab := openBrowser(t)
	signIn(t, tab, d, d.url)
	allGood(t, tab)
	approve(t, tab, d, d.url)
	d.await("payout-approved", 30*time.Second)
	settled := d.await("payout-settled", 2*time.Minute)
	paid := field(settled, "txid")

	guestIsSeen(t, d, guest)
	observerShows(t, tab, d, paid)
	booksAgreeWithWallet(t, box)
	receiptsHold(t, d, program, paid)

	// The other ways to settle, and back.
	for _, settlement := range []string{ledger.SettlementSolo, ledger.SettlementDirect, ledger.SettlementLedger} {
		settlesBy(t, tab, d, program, settlement)
	}

	// The power goes out. What was is still there, and mining goes on.
	d.kill()
	d = startDemo(t, program, box, bitcoind)
	d.await("first-block", 2*time.Minute)
	observerShows(t, tab, d, paid)
	booksAgreeWithWallet(t, box)

	// From the sofa, and with a browser that runs no scripts.
	sofa := openBrowser(t)
	do(t, sofa, "switch scripts off", emulation.SetScriptExecutionDisabled(true))
	var approved []int64
	for _, way := range []struct {
		tab context.Context
		url string
	}{{sofa, d.away}, {sofa, d.url}, {tab, d.away}} {
		signIn(t, way.tab, d, way.url)
		approved = append(approved, approve(t, way.tab, d, way.url))
	}
	for _, payout := range approved {
		isSettled(t, box, payout)
	}

	// The node dies alone.
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
