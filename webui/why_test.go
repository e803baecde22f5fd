package webui

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whyBlockOf is a block with a part for the address, if it has one.
func whyBlockOf(height int32, state string, part int64) whyBlock {
	return whyBlock{blockLine: blockLine{Hash: "h", Height: height, State: state, Confirmations: 23, Maturity: 101}, Split: true, Part: part}
}

// mined is an address that has worked.
func mined(change func(*whyFacts)) whyFacts {
	f := whyFacts{Now: noon, Shares: 10, FirstShare: noon.Add(-time.Hour), LastShare: noon, Least: 1000, Every: time.Hour}
	change(&f)
	return f
}

// credited is one that a mature block was shared with, and which is owed so much.
func credited(owed int64, change func(*whyFacts)) whyFacts {
	return mined(func(f *whyFacts) {
		f.Credited, f.Balance.Unpaid = true, owed
		f.Blocks = []whyBlock{whyBlockOf(7, "mature", 500)}
		change(f)
	})
}

func paying(state string) func(*whyFacts) {
	return func(f *whyFacts) {
		f.Payment = &whyPayment{paidLine{ID: 42, Amount: 500, State: state, TxID: "feed", Confirmations: 2}, 6}
	}
}

func nothing(*whyFacts) {}

// Every way that money can take, or not take, ends in its own words.
func TestWhySteps(t *testing.T) {
	for _, tt := range []struct {
		name  string
		facts whyFacts
		want  string // keys in their order
		ends  string // where the way ends
	}{
		{"no share ever", whyFacts{}, "no_share", "no_share"},
		{"no block yet", mined(nothing), "shares no_block", "no_block"},
		{"a block of others' work", mined(func(f *whyFacts) { f.Blocks = []whyBlock{whyBlockOf(7, "accepted", 0)} }), "shares outside", "outside"},
		{"a block of another solo miner", mined(func(f *whyFacts) {
			f.Blocks = []whyBlock{whyBlockOf(7, "accepted", 0)}
			f.Blocks[0].Solo = true
		}), "shares outside_solo", "outside_solo"},
		{"a block that is not shared yet", mined(func(f *whyFacts) {
			f.Blocks = []whyBlock{whyBlockOf(7, "found", 0)}
			f.Blocks[0].Split = false
		}), "shares undecided", "undecided"},
		{"only lost blocks of others", mined(func(f *whyFacts) { f.Blocks = []whyBlock{whyBlockOf(7, "orphaned", 0)} }), "shares next", "next"},
		{"a block on its way to the node", credited(0, func(f *whyFacts) { f.Blocks[0].State = "found" }), "shares block submitting", "submitting"},
		{"an immature block", credited(0, func(f *whyFacts) { f.Blocks[0].State = "accepted" }), "shares block immature", "immature"},
		{"an orphaned block", credited(0, func(f *whyFacts) { f.Blocks[0].State = "orphaned" }), "shares block orphaned", "orphaned"},
		{"a stale block", credited(0, func(f *whyFacts) { f.Blocks[0].State = "stale" }), "shares block stale", "stale"},
		{"a refused block", credited(0, func(f *whyFacts) { f.Blocks[0].State = "rejected" }), "shares block rejected", "rejected"},
		{"a lost block after a good one", credited(0, func(f *whyFacts) {
			f.Blocks = []whyBlock{whyBlockOf(8, "orphaned", 400), whyBlockOf(7, "accepted", 500)}
		}), "shares block immature", "immature"},
		{"an older block paid, the newest without a share", credited(0, func(f *whyFacts) {
			f.Blocks = []whyBlock{whyBlockOf(8, "accepted", 0), whyBlockOf(7, "mature", 500)}
			paying("settled")(f)
		}), "shares block mature payout_settled outside", "outside"},
		{"below the minimum", credited(500, nothing), "shares block mature below", "below"},
		{"on hold", credited(5000, func(f *whyFacts) { f.Hold = true }), "shares block mature hold", "hold"},
		{"payouts are frozen", credited(5000, func(f *whyFacts) { f.Frozen = true }), "shares block mature frozen", "frozen"},
		{"left out for a limit", credited(5000, func(f *whyFacts) { f.Left = "More than the 2000 sats that one payout may have." }), "shares block mature left", "left"},
		{"paid by hand", credited(5000, func(f *whyFacts) { f.Every = 0 }), "shares block mature by_hand", "by_hand"},
		{"due", credited(5000, nothing), "shares block mature due", "due"},
		{"in debt after an orphan", credited(-300, nothing), "shares block mature debt", "debt"},
		{"a payout is made", credited(0, paying("draft")), "shares block mature payout_draft", "payout_draft"},
		{"a payout waits", credited(0, paying("pending")), "shares block mature payout_pending", "payout_pending"},
		{"a payout is approved", credited(0, paying("approved")), "shares block mature payout_approved", "payout_approved"},
		{"a payout is signed", credited(0, paying("signed")), "shares block mature payout_signed", "payout_signed"},
		{"a payout is sent", credited(0, paying("broadcast")), "shares block mature payout_broadcast", "payout_broadcast"},
		{"a payout confirms", credited(0, paying("confirmed")), "shares block mature payout_confirmed", "payout_confirmed"},
		{"a payout is taken back", credited(0, paying("cancelling")), "shares block mature payout_cancelling", "payout_cancelling"},
		{"a payout is under way and more is owed", credited(500, paying("broadcast")), "shares block mature payout_broadcast below", "payout_broadcast"},
		{"paid", credited(0, paying("settled")), "shares block mature payout_settled next", "next"},
		{"paid, and more is owed since", credited(500, paying("settled")), "shares block mature payout_settled below", "below"},
		{"a solo block pays by itself, and is young", credited(0, func(f *whyFacts) {
			f.Blocks[0].Solo, f.Blocks[0].Paid, f.Blocks[0].State = true, 500, "accepted"
		}), "shares block_solo coinbase immature", "immature"},
		{"a block has paid by itself", credited(0, func(f *whyFacts) { f.Blocks[0].Paid = 500 }), "shares block coinbase mature next", "next"},
		{"a block has paid a part by itself", credited(200, func(f *whyFacts) { f.Blocks[0].Paid = 300 }), "shares block coinbase mature below", "below"},
		{"credited under another name of the account", func() whyFacts {
			f := credited(500, nothing)
			f.Shares, f.Blocks = 0, nil
			return f
		}(), "below", "below"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := whyView{Steps: tt.facts.steps()}
			var keys []string
			for _, s := range v.Steps {
				keys = append(keys, s.Key)
			}
			if got := strings.Join(keys, " "); got != tt.want || v.Answer().Key != tt.ends {
				t.Errorf("steps %s, ends at %s; want %s, %s", got, v.Answer().Key, tt.want, tt.ends)
			}
		})
	}
}

// The steps carry the numbers of the facts.
func TestWhyNumbers(t *testing.T) {
	got := credited(400, paying("confirmed")).steps()
	want := []whyStep{
		{Key: "shares", Mark: "ok", Count: 10, At: noon},
		{Key: "block", Mark: "ok", Count: 23, Of: 101, Sats: 500, Rest: 500, Height: 7, Hash: "h"},
		{Key: "mature", Mark: "ok", Count: 23, Of: 101, Sats: 500, Rest: 500, Height: 7},
		{Key: "payout_confirmed", Mark: "wait", Count: 2, Of: 6, Sats: 500, Payout: 42, TxID: "feed"},
		{Key: "below", Mark: "wait", Count: 1000, Sats: 400, Rest: 600},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Each end has its words in both languages, with what comes next, on a sound page.
func TestWhyPages(t *testing.T) {
	w := open(t, newGolden())
	page := w.get("/observer/" + aliceAddress).body
	if !strings.Contains(page, `href="/observer/`+aliceAddress+`/why"`) {
		t.Error("the observer page does not lead there")
	}
	ends := []whyFacts{{}, mined(nothing), credited(500, nothing), credited(5000, func(f *whyFacts) { f.Hold = true }), credited(-300, nothing), credited(0, nothing)}
	for _, state := range []string{"draft", "pending", "approved", "signed", "broadcast", "confirmed", "cancelling", "settled"} {
		ends = append(ends, credited(0, paying(state)))
	}
	for _, state := range []string{"found", "accepted", "orphaned", "stale", "rejected"} {
		ends = append(ends, credited(0, func(f *whyFacts) { f.Blocks[0].State = state }))
	}
	for _, change := range []func(*whyFacts){
		func(f *whyFacts) { f.Frozen = true }, func(f *whyFacts) { f.Left = "The account is on hold." }, func(f *whyFacts) { f.Every = 0 }, nothing,
		func(f *whyFacts) { f.Blocks[0].Part = 0 }, func(f *whyFacts) { f.Blocks[0].Part, f.Blocks[0].Solo = 0, true },
		func(f *whyFacts) { f.Blocks[0].Part, f.Blocks[0].Split = 0, false }, func(f *whyFacts) { f.Blocks[0].Solo, f.Blocks[0].Paid = true, 500 },
	} {
		ends = append(ends, credited(5000, change))
	}
	for _, facts := range ends {
		for _, odds := range []luck{{}, newLuck(new(150e12), new(1e12))} {
			facts.Luck = odds
			w.box.why = facts
			for _, lang := range []string{"en", "zh-Hans"} {
				w.clock.add(time.Minute)
				resp := w.get("/observer/"+aliceAddress+"/why", func(r *http.Request) { r.Header.Set("Accept-Language", lang) })
				if resp.StatusCode != http.StatusOK {
					t.Fatalf("%s: status %d", facts.steps()[0].Key, resp.StatusCode)
				}
				checkPage(t, resp.body)
			}
		}
	}
}

// Behind a private link the page tells neither the address nor a transaction.
func TestPrivateWhy(t *testing.T) {
	w := open(t, newGolden())
	resp := w.get(privatePath + linkToken + "/why")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d", resp.StatusCode)
	}
	for _, told := range []string{aliceAddress, w.box.paid[1].TxID, w.box.blocks[1].Hash} {
		if strings.Contains(resp.body, told) {
			t.Errorf("the page tells %s", told)
		}
	}
	if !strings.Contains(w.get("/observer/"+aliceAddress+"/why").body, w.box.paid[1].TxID) {
		t.Error("the open page does not tell the transaction")
	}
}
