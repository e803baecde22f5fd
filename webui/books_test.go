package webui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// frozen is a box whose wallet has sent what the books know nothing of.
func frozen(g *golden) *golden {
	txid := strings.Repeat("de", 32)
	reason := "Transaction " + txid + " has spent money of the pool's wallet, but is no payout of this ledger."
	g.dashboard.Money.Frozen = reason
	g.books.Frozen = reason
	g.books.Open = []freezeLine{{At: noon.Add(-time.Hour), Reason: reason, TxID: txid}}
	g.books.Past = []freezeLine{{At: noon.Add(-900 * time.Hour), Reason: "The wallet has 5 sats less than the books say.", LiftedAt: noon.Add(-899 * time.Hour), LiftedBy: "admin"}}
	g.books.Said = []correctLine{{At: noon.Add(-899 * time.Hour), User: "admin", Amount: -5, Reason: hostile}}
	g.books.Compared.Wallet, g.books.Compared.Missing, g.books.Shortfall = 366_286_793, 80_000, 80_000
	return g
}

func TestFreezePage(t *testing.T) {
	w := open(t, frozen(newGolden()))
	w.signIn()
	page := w.get("/books").body
	checkPage(t, page)
	for _, want := range []string{"Payouts are frozen", "Mining goes on", strings.Repeat("de", 32), "booked as lost", `<data value="80000">`, "Did you restore an old backup", "/books/lift"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if strings.Contains(page, "<script>") || strings.Contains(page, "/books/surplus") {
		t.Error("the page has a stranger's script, or books what is not there")
	}
	for _, path := range []string{"/", "/payouts", "/payouts?tab=owed"} {
		if page := w.get(path).body; !strings.Contains(page, `href="/books"`) {
			t.Errorf("%s does not lead to the explanation", path)
		}
	}

	w.box.books.Open, w.box.books.Frozen = nil, "The ledger does not add up."
	page = w.get("/books").body
	checkPage(t, page)
	if !strings.Contains(page, "ask for help") || strings.Contains(page, "/books/lift") {
		t.Error("books that contradict themselves can be waved through")
	}
	w.box.books.Uncovered, w.box.books.Compared.Surplus = true, 90_000
	page = w.get("/books").body
	checkPage(t, page)
	if strings.Contains(page, "ask for help") || !strings.Contains(page, "/books/surplus") {
		t.Error("what somebody adds for a block that is gone cannot be booked")
	}
	w.box.books.Compared = nil
	checkPage(t, w.get("/books").body)
}

func TestCorrectBooks(t *testing.T) {
	surplus := func(g *golden) *golden {
		g.books.Compared.Surplus = 25_000
		return g
	}
	for name, tc := range map[string]struct {
		box    *golden
		path   string
		change url.Values
		status int
		says   string
	}{
		"lift":                {frozen(newGolden()), "/books/lift", nil, http.StatusSeeOther, ""},
		"no reason":           {frozen(newGolden()), "/books/lift", url.Values{"reason": {"  "}}, http.StatusUnprocessableEntity, "say what it was"},
		"wrong password":      {frozen(newGolden()), "/books/lift", url.Values{"password": {"guess"}}, http.StatusUnprocessableEntity, "the password is wrong"},
		"another freeze came": {frozen(newGolden()), "/books/lift", url.Values{"seen": {"1 5 5"}}, http.StatusConflict, "nothing was done"},
		"not frozen":          {newGolden(), "/books/lift", url.Values{"seen": {"0 0 0"}}, http.StatusConflict, "nothing was done"},
		"surplus":             {surplus(newGolden()), "/books/surplus", nil, http.StatusSeeOther, ""},
		"no surplus":          {newGolden(), "/books/surplus", url.Values{"seen": {"0 0 0"}}, http.StatusConflict, "nothing was done"},
		"surplus but frozen":  {surplus(frozen(newGolden())), "/books/surplus", nil, http.StatusConflict, "nothing was done"},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, tc.box)
			w.signIn()
			form := inputs(t, w.get("/books").body)
			form.Set("token", w.token())
			form.Set("reason", "I paid a friend by hand.")
			form.Set("password", password)
			for key, value := range tc.change {
				form[key] = value
			}
			resp := w.do(http.MethodPost, tc.path, form)
			if resp.StatusCode != tc.status || !strings.Contains(resp.body, tc.says) || len(w.box.corrected) != btoi(tc.status == http.StatusSeeOther) {
				t.Fatalf("status %d, want %d; %d corrections; says %q: %v", resp.StatusCode, tc.status, len(w.box.corrected), tc.says, strings.Contains(resp.body, tc.says))
			}
			if tc.status != http.StatusSeeOther {
				checkPage(t, resp.body)
				return
			}
			if c := w.box.corrected[0]; c.Lift != (tc.path == "/books/lift") || c.Reason != "I paid a friend by hand." || c.Operator.Name != "admin" ||
				c.Freezes != btoi(c.Lift) || c.Lift && c.Amount != -80_000 || !c.Lift && c.Amount != 25_000 {
				t.Errorf("correction %+v", c)
			}
		})
	}
}

// Where there are several operators, one yes is written down and waits.
func TestCorrectBooksByTwo(t *testing.T) {
	w := open(t, frozen(newGolden()))
	w.box.lonely = true
	w.signIn()
	form := inputs(t, w.get("/books").body)
	form.Set("reason", "I know")
	form.Set("password", password)
	resp := w.do(http.MethodPost, "/books/lift", form)
	if resp.Header.Get("Location") != "/books?waits" {
		t.Fatalf("status %d, Location %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	if page := w.get("/books?waits").body; !strings.Contains(page, "Another operator has to sign in") {
		t.Error("the page does not say that it waits")
	}
}
