package webui

import (
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/receipt"
)

// Receipts are for everybody who knows an address: without a session, and
// without starting one.
func TestReceiptsArePublic(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	for _, path := range []string{
		"/observer/" + aliceAddress + "/blocks/" + g.block.Hash,
		"/observer/" + aliceAddress + "/payouts/40",
		"/observer/" + aliceAddress + "/statement.csv",
		"/api/v1/blocks/" + g.block.Hash + "/split.json",
	} {
		a := w.get(path)
		if a.StatusCode != http.StatusOK || a.Header.Get("Set-Cookie") != "" || !strings.Contains(a.Header.Get("X-Robots-Tag"), "noindex") {
			t.Errorf("%s: status %d, cookie %q, robots %q", path, a.StatusCode, a.Header.Get("Set-Cookie"), a.Header.Get("X-Robots-Tag"))
		}
	}
	for path, want := range map[string]int{
		"/observer/x/blocks/" + g.block.Hash:                  http.StatusBadRequest,
		"/observer/" + newAddress + "/blocks/" + g.block.Hash: http.StatusNotFound,
		"/observer/" + aliceAddress + "/blocks/" + "00":       http.StatusNotFound,
		"/observer/" + aliceAddress + "/payouts/41":           http.StatusNotFound,
		"/observer/" + aliceAddress + "/payouts/x":            http.StatusNotFound,
		"/observer/" + newAddress + "/payouts/40":             http.StatusNotFound,
		"/observer/" + newAddress + "/statement.csv":          http.StatusNotFound,
		"/observer/x/statement.csv":                           http.StatusBadRequest,
		"/api/v1/blocks/x/split.json":                         http.StatusNotFound,
		"/ledger.csv":                                         http.StatusSeeOther,
	} {
		if a := w.get(path); a.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, a.StatusCode, want)
		}
	}
}

// The file is sent byte for byte, or its digest would be of something else.
func TestSplitJSON(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	path := "/api/v1/blocks/" + g.block.Hash + "/split.json"
	a := w.get(path)
	if receipt.Digest([]byte(a.body)) != g.slips.file.Digest {
		t.Errorf("the file has another digest than the page:\n%s", a.body)
	}
	if got := a.Header.Get("Content-Disposition"); got != `attachment; filename="split-924980.json"` {
		t.Errorf("Content-Disposition = %s", got)
	}
	again := w.get(path, func(r *http.Request) { r.Header.Set("If-None-Match", a.Header.Get("ETag")) })
	if again.StatusCode != http.StatusNotModified || again.body != "" {
		t.Errorf("asked again: status %d, body %q", again.StatusCode, again.body)
	}

	for _, page := range []string{"/observer/" + aliceAddress + "/blocks/" + g.block.Hash, "/blocks/" + g.block.Hash} {
		g.block.Digest = g.slips.file.Digest
		if page[1] == 'b' {
			w.signIn()
		}
		if body := w.get(page).body; !strings.Contains(body, g.slips.file.Digest) || !strings.Contains(body, path) {
			t.Errorf("%s shows neither digest nor file", page)
		}
	}
}

// A statement says the numbers in words, and in every state of the block.
func TestStatement(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	path := "/observer/" + aliceAddress + "/blocks/" + g.block.Hash
	body := w.get(path).body
	checkPage(t, body)
	for _, want := range []string{"18,201", "19.6<span class=\"unit\"> %", "61,058,000", "81.6<span class=\"unit\"> P hashes", "by one of your own devices", "dmpool verify-split --address " + aliceAddress} {
		if !strings.Contains(body, want) {
			t.Errorf("the statement lacks %q", want)
		}
	}
	for _, state := range []string{"found", "unknown", "accepted", "mature", "orphaned", "stale", "rejected"} {
		g.slips.statement.State = state
		g.slips.statement.Epochs = nil
		body := w.get(path).body
		checkPage(t, body)
		if pays := !strings.Contains(body, "it pays nothing"); pays == (state == "orphaned" || state == "stale" || state == "rejected") {
			t.Errorf("%s block: pays %v", state, pays)
		}
	}
}

func TestPayment(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	path := "/observer/" + aliceAddress + "/payouts/40"
	body := w.get(path).body
	for _, want := range []string{g.slips.payment.TxID + ":0", "9,300,000", "9,299,450", ">550<", "412"} {
		if !strings.Contains(body, want) {
			t.Errorf("the receipt lacks %q", want)
		}
	}
	for _, state := range []string{"draft", "pending", "approved", "signed", "broadcast", "confirmed", "settled", "cancelling", "cancelled", "expired", "failed"} {
		g.slips.payment.State, g.slips.payment.TxID, g.slips.payment.Vout, g.slips.payment.FeeShare = state, "", nil, 0
		checkPage(t, w.get(path).body)
	}
}

// Statements balance, row by row, and hold no formulas.
func TestCSV(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	a := w.get("/observer/" + aliceAddress + "/statement.csv")
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/csv") || strings.Count(a.body, "\r\n") != 1+len(g.slips.postings) {
		t.Errorf("%s with %d lines", a.Header.Get("Content-Type"), strings.Count(a.body, "\r\n"))
	}
	rows := parseCSV(t, a.body)
	var got [][]string
	for _, r := range rows[1:] {
		got = append(got, []string{r["event"], r["type"], r["bucket"], r["amount_sat"], r["bucket_sat"], r["balance_sat"], r["balance_btc"], r["payout"], r["vout"], r["chain_fee_share_sat"]})
	}
	want := [][]string{
		{"1", "credit", "pending", "9300000", "9300000", "9300000", "0.09300000", "", "", ""},
		{"2", "mature", "pending", "-9300000", "0", "0", "0.00000000", "", "", ""},
		{"2", "mature", "payable", "9300000", "9300000", "9300000", "0.09300000", "", "", ""},
		{"3", "reserve", "payable", "-9300000", "0", "0", "0.00000000", "40", "", ""},
		{"3", "reserve", "reserved", "9300000", "9300000", "9300000", "0.09300000", "40", "", ""},
		{"4", "settle", "reserved", "-9300000", "0", "0", "0.00000000", "40", "0", "550"},
		{"5", "unmature", "payable", "-9300000", "-9300000", "-9300000", "-0.09300000", "", "", ""},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("statement (-want +got):\n%s", diff)
	}
	if rows[1]["time"] != "2026-11-16T16:00:07Z" || rows[1]["block_fee_sat"] != "3130205" || rows[1]["height"] != "924211" {
		t.Errorf("first row %v", rows[1])
	}
	for _, r := range rows[1:] {
		if r["actor"] != "" {
			t.Errorf("whoever knows an address learns that the operator is called %s", r["actor"])
		}
	}

	w.signIn()
	pool := parseCSV(t, w.get("/ledger.csv").body)
	if pool[1]["amount_sat"] != "-9300000" {
		t.Errorf("the whole book has %s where debit is positive, want -9300000", pool[1]["amount_sat"])
	}
	if pool[4]["actor"] != "'=cmd|'/c calc'!A0" {
		t.Errorf("a formula stands in a cell: %q", pool[4]["actor"])
	}
}

// parseCSV reads rows by the names of their columns; the first is the head itself.
func parseCSV(t *testing.T, text string) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, r := range records {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = r[i]
		}
		rows = append(rows, row)
	}
	return rows
}

// Half a statement never looks like a whole one.
func TestCSVIsCutOnError(t *testing.T) {
	g := newGolden()
	g.slips.fail = errors.New("disk gone")
	w := open(t, g)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.url+"/observer/"+aliceAddress+"/statement.csv", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return // cut before the head
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the statement ends well with %q", body)
	}
}

func TestInert(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "chain": "chain", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@sum": "'@sum", "\t=1": "'\t=1", "\r=1": "'\r=1", "a=1": "a=1",
		"＝1+1": "'＝1+1", "＋1": "'＋1", "－1": "'－1", "＠sum": "'＠sum", "矿机": "矿机",
	} {
		if got := inert(text); got != want {
			t.Errorf("inert(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestBTC(t *testing.T) {
	for sats, want := range map[int64]string{
		0: "0.00000000", 1: "0.00000001", -1: "-0.00000001", 100_000_000: "1.00000000", -2_100_000_000_000_000: "-21000000.00000000",
		-9_223_372_036_854_775_808: "-92233720368.54775808",
	} {
		if got := btc(sats); got != want {
			t.Errorf("btc(%d) = %s, want %s", sats, got, want)
		}
	}
}

// Where the coinbase pays, the statement says so, and in solo mode it speaks of no window.
func TestStatementOfOtherSettlements(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	path := "/observer/" + aliceAddress + "/blocks/" + g.block.Hash
	v := &g.slips.statement
	v.Epochs, v.Since, v.Paid = nil, time.Time{}, 61_000_000
	for settlement, want := range map[string]string{"direct": "where the work for this block was handed out", "solo": "This block was mined solo"} {
		v.Settlement = settlement
		body := w.get(path).body
		checkPage(t, body)
		for _, want := range []string{want, "the block itself pays to your address", "61,000,000", "58,000<"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s: the statement lacks %q", settlement, want)
			}
		}
		if window := strings.Contains(body, "The window"); window != (settlement == "direct") {
			t.Errorf("%s: the statement has a window: %v", settlement, window)
		}
	}
}
