//go:build e2e

package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// receiptsHold does what a miner does that wants to know why it got what it got:
// it downloads the split of a block and checks it, and reads its statements.
func receiptsHold(t *testing.T, d *demoProcess, program, txid string) {
	t.Helper()
	address := paidAddress(t, d.box, txid)
	credits, err := openBooks(t, d.box).Credits(t.Context(), address, 1000)
	if err != nil || len(credits) == 0 {
		t.Fatalf("credits of %s: %v, %v", address, credits, err)
	}
	first := credits[len(credits)-1]

	file, digest := download(t, d.url+"/api/v1/blocks/"+first.Hash.String()+"/split.json")
	path := filepath.Join(t.TempDir(), "split.json")
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "verify-split", "--address", address, "--digest", strings.Trim(digest, `"`), path).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "OK: the block exists, the work gives the scores") || !strings.Contains(string(out), fmt.Sprintf("%d", first.Amount)) {
		t.Errorf("verify-split of block %d: %v\n%s", first.Height, err, out)
	}
	page, _ := download(t, d.url+"/observer/"+address+"/blocks/"+first.Hash.String())
	if !strings.Contains(page, strings.Trim(digest, `"`)) {
		t.Errorf("the statement of block %d does not show the digest of the file", first.Height)
	}

	id, vout := settledRow(t, d, address, txid)
	page, _ = download(t, d.url+"/observer/"+address+"/payouts/"+id)
	if !strings.Contains(page, txid+":"+vout) {
		t.Errorf("the receipt of payment %s does not name the output %s:%s", id, txid, vout)
	}
}

// settledRow reads the statement of an address: it adds up, and one of its rows
// is the settlement by a transaction.
func settledRow(t *testing.T, d *demoProcess, address, txid string) (payout, vout string) {
	t.Helper()
	text, _ := download(t, d.url+"/observer/"+address+"/statement.csv")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[name] = i
	}
	var sum int64
	for _, row := range rows[1:] {
		amount, err := strconv.ParseInt(row[column["amount_sat"]], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += amount
		if balance := row[column["balance_sat"]]; balance != strconv.FormatInt(sum, 10) {
			t.Fatalf("event %s leaves a balance of %s, its rows add up to %d", row[column["event"]], balance, sum)
		}
		if row[column["type"]] == "settle" && row[column["txid"]] == txid {
			payout, vout = row[column["payout"]], row[column["vout"]]
		}
	}
	if payout == "" || vout == "" {
		t.Errorf("no row settles %s with an output:\n%s", txid, text)
	}
	return payout, vout
}

// download returns what a URL serves, and its ETag.
func download(t *testing.T, url string) (body, tag string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v\n%s", url, resp.Status, err, b)
	}
	return string(b), resp.Header.Get("ETag")
}
