//go:build e2e

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dmpool/dmpool/pool/ledger"
)

// settlesBy changes the settlement on the settings page, waits for a block that
// pays so, and looks whether books, wallet and receipt agree with its coinbase.
func settlesBy(t *testing.T, tab context.Context, d *demoProcess, program, settlement string) {
	t.Helper()
	before := newestBlock(t, d)
	do(t, tab, "change the settlement to "+settlement,
		chromedp.Navigate(d.url+"/settings"),
		chromedp.Click("#settlement-"+settlement),
		chromedp.Click("form.settings button[type=submit]"),
		chromedp.WaitVisible("#changes-h"),
	)
	screenshot(t, tab, "settings-"+settlement)
	fill(t, tab, "#password", d.password)
	do(t, tab, "confirm the settlement",
		chromedp.Click("form[action='/settings'] button[type=submit]"),
		chromedp.WaitVisible("form.settings"),
	)

	block := awaitSettlement(t, d, settlement, before)
	if paysMiners := settlement != ledger.SettlementLedger; paysMiners != (block.Paid > 0) {
		t.Errorf("the coinbase of block %d pays miners %d sat by %s", block.Height, block.Paid, settlement)
	}
	booksAgreeWithWallet(t, d.box)

	file, _ := download(t, d.url+"/api/v1/blocks/"+block.Hash.String()+"/split.json")
	path := filepath.Join(t.TempDir(), "split.json")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "verify-split", path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "OK: ") {
		t.Errorf("verify-split of block %d, settled by %s: %v\n%s", block.Height, settlement, err, out)
	}
}

// newestBlock returns the number of the newest found block.
func newestBlock(t *testing.T, d *demoProcess) int64 {
	t.Helper()
	blocks, err := openBooks(t, d.box).Blocks(t.Context(), 1, 0)
	if err != nil || len(blocks) == 0 {
		t.Fatalf("newest block: %v, %v", blocks, err)
	}
	return blocks[0].ID
}

// awaitSettlement waits for a new block in the chain that settles like this, and
// whose split is fixed.
func awaitSettlement(t *testing.T, d *demoProcess, settlement string, before int64) ledger.Block {
	t.Helper()
	books := openBooks(t, d.box)
	for range 240 {
		blocks, err := books.Blocks(t.Context(), 10, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range blocks {
			if b.ID > before && b.Terms.Settlement == settlement && b.Frozen && b.State == ledger.StateAccepted {
				t.Logf("block %d is settled by %s", b.Height, settlement)
				return b
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatalf("no block that is settled by %s", settlement)
	return ledger.Block{}
}
