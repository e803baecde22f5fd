package webui

import (
	"strings"
	"testing"
)

// No page says of a block that pays miners itself what is true of one that pays
// the pool's wallet.
func TestPagesOfOtherSettlements(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	w.signIn()
	path := "/blocks/" + g.block.Hash
	g.block.Paid = 250_000_112
	g.block.Credits[0].Paid = 250_000_112
	for settlement, want := range map[string][]string{
		"direct": {"when the work for this block was handed out", "250,000,112", "paid by the block", "owed by the pool"},
		"solo":   {"Solo: the coinbase of this block pays"},
	} {
		g.block.Settlement = settlement
		body := w.get(path).body
		checkPage(t, body)
		for _, text := range want {
			if !strings.Contains(body, text) {
				t.Errorf("%s: the page of the block lacks %q", settlement, text)
			}
		}
		for _, lie := range []string{"counted back from the share that found the block", "the credits are pending", "the credits below are payable"} {
			if strings.Contains(body, lie) {
				t.Errorf("%s: the page of the block says %q", settlement, lie)
			}
		}
	}

	g.observer.Solo = true
	if body := w.get("/observer/" + aliceAddress).body; strings.Contains(body, "of the window") || !strings.Contains(body, "blocks of others bring you nothing") {
		t.Error("the observer page promises a part of others’ blocks")
	}

	g.dashboard.Serving, g.dashboard.Fallback = true, "The node would refuse it"
	if body := w.get("/").body; !strings.Contains(body, "Blocks are not settled as the settings say") || !strings.Contains(body, "The node would refuse it.") {
		t.Error("the dashboard does not say that blocks are settled otherwise")
	}
}
