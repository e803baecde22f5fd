package webui

import (
	"fmt"
	"html"
	"strings"
	"testing"
	"time"
)

// The page gives a miner an address that it can reach, says what each port is for,
// and whom a block pays; a stranger is told that a miner has come, not which.
func TestConnectPage(t *testing.T) {
	g := newGolden()
	w := open(t, g)
	body := html.UnescapeString(w.get("/connect").body)
	for _, want := range []string{
		"stratum+tcp://192.168.1.50:3333", "stratum+tcp://10.8.0.2:3333", "stratum+tcp://192.168.1.50:3334", "stratum+ssl://192.168.1.50:3336", "signed by nobody else",
		"tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx.name", "d=1024", "dmpool miner -o stratum+tcp://192.168.1.50:3333", "cgminer -o", "bfgminer -o", "AxeOS", "NerdMiner", "Avalon", "Antminer", "Whatsminer",
		"My address is not in the coinbase", "3 workers are at work here", "its first share was accepted",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "bitaxe1") || strings.Contains(body, ".local") || strings.Contains(body, "BM1370") {
		t.Error("a stranger is told who mines here, or given a name that miners cannot resolve")
	}
	w.signIn()
	if body := w.get("/connect").body; !strings.Contains(body, "<bdi>bitaxe1</bdi></b> is at work") || !strings.Contains(body, "is connected; its first share is awaited") {
		t.Error("the operator does not see who has come")
	}
	for settlement, want := range map[string]string{"solo": "Whom a block pays", "direct": "large enough for an output"} {
		g.settlement = settlement
		body := w.get("/connect").body
		checkPage(t, body)
		if !strings.Contains(body, want) || strings.Contains(body, "pays the wallet of the pool first") {
			t.Errorf("%s: the page does not say %q alone", settlement, want)
		}
	}
}

// Where coins are worth something nobody is shown an address to mine to.
func TestConnectPageNamesNobodysAddress(t *testing.T) {
	for network, want := range map[string]string{"main": "bc1q…h4x2.name", "testnet4": "tb1q…h4x2.name"} {
		g := newGolden()
		g.network = network
		body := html.UnescapeString(open(t, g).get("/connect").body)
		if !strings.Contains(body, want) || strings.Contains(body, "kxpjzsx") {
			t.Errorf("%s: the page does not show the shape of an address, %q", network, want)
		}
	}
}

// A box without a network, and one that nobody has come to, say what to do.
func TestConnectPageOfAFreshBox(t *testing.T) {
	g := newGolden().empty()
	w := open(t, g)
	if body := w.get("/connect").body; !strings.Contains(body, "Waiting for the first share") {
		t.Error("the page does not wait for a share")
	}
}

// Who opens the page and then switches a miner on sees it come and work, by a refresh
// as well as by the script's stream; strangers see that one has come.
func TestConnectPageWaits(t *testing.T) {
	w := open(t, newGolden()) // a miner has come 40 s ago
	w.signIn()
	const seen, awaited = "<bdi>bitaxe1</bdi></b> is at work", "Waiting for the first share of a new miner"
	status := func(body string) string {
		_, part, _ := strings.Cut(body, `<div role="status">`)
		part, _, _ = strings.Cut(part, `<ul class="seen">`)
		return part
	}
	body := w.get("/connect").body
	if got := status(body); !strings.Contains(got, awaited) || strings.Contains(got, seen) {
		t.Errorf("a miner that was there before is new: %s", got)
	}
	here := fmt.Sprintf("/connect?since=%d", noon.Unix())
	if !strings.Contains(body, `href="`+here+`#wait-h" data-here`) {
		t.Error("the page does not lead to itself with its time")
	}
	before := fmt.Sprintf("/connect?since=%d", noon.Add(-time.Minute).Unix())
	body = w.get(before).body
	checkPage(t, body)
	if got := status(body); !strings.Contains(got, seen) || strings.Contains(got, "script") || strings.Contains(got, awaited) {
		t.Errorf("a miner that came since is not seen, or another is: %s", got)
	}
	if !strings.Contains(body, `href="`+before+`#wait-h"`) {
		t.Error("a refresh begins to wait anew")
	}
	for _, since := range []string{"x", "99999999999", "0", "-1"} {
		if got := status(w.get("/connect?since=" + since).body); !strings.Contains(got, awaited) {
			t.Errorf("since=%s: %s", since, got)
		}
	}
	w.http.Jar = nil
	if got := status(w.get(before).body); !strings.Contains(got, "I see a new miner, and it is at work") || strings.Contains(got, "bitaxe1") || strings.Contains(got, "BM1370") {
		t.Errorf("strangers: %s", got)
	}
}
