package ledger_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/ledger"
)

// Mistakes that were found in the code of other pools (money.md 1.9). Each test
// is named after what the other pool does.

// peerSplit splits under the terms of vector A, changed.
func peerSplit(t *testing.T, value int64, change func(*ledger.Terms), want ledger.SplitResult, weights ...ledger.AccountWeight) {
	t.Helper()
	terms := ledger.Terms{Settlement: ledger.SettlementLedger, WindowMilli: 2000, Underfill: ledger.UnderfillScale}
	change(&terms)
	got, err := ledger.Split(ledger.SplitInput{Value: value, Terms: terms, Weights: weights})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Split (-want +got):\n%s", diff)
	}
}

func TestPeerRoundsAHalfWindowToNothing(t *testing.T) {
	half := func(t *ledger.Terms) { t.Underfill, t.WindowMilli = ledger.UnderfillHold, 500 }
	peerSplit(t, 1000, half, ledger.SplitResult{Reserve: 500, Credits: []ledger.Credit{{101, 500}}}, weight(101, 1, 4))
}

func TestPeerLosesWhatAnUnderfilledWindowLeaves(t *testing.T) {
	hold := func(t *ledger.Terms) { t.Underfill, t.WindowMilli = ledger.UnderfillHold, 8000 }
	peerSplit(t, 1000, hold, ledger.SplitResult{Reserve: 959, Credits: []ledger.Credit{{101, 41}}}, weight(101, 1, 3))
}

func TestPeerTakesTheFeeFromWhatTheDonationLeaves(t *testing.T) {
	both := func(t *ledger.Terms) { t.FeeBps, t.DonationBps = 1000, 1000 }
	peerSplit(t, 10_000, both, ledger.SplitResult{Fee: 1000, Donation: 1000, Credits: []ledger.Credit{{101, 8000}}}, weight(101, 1, 1))
}

func TestPeerGivesTheRemainderToTheLastAddress(t *testing.T) {
	peerSplit(t, 10, func(*ledger.Terms) {}, ledger.SplitResult{Credits: []ledger.Credit{{101, 6}, {102, 3}, {103, 1}}},
		weight(101, 55, 100), weight(102, 35, 100), weight(103, 10, 100))
}

func TestPeerComputesTheFeeInFloats(t *testing.T) {
	fee := func(t *ledger.Terms) { t.FeeBps = 999 }
	peerSplit(t, 2_099_999_999_999_999, fee,
		ledger.SplitResult{Fee: 209_789_999_999_999, Credits: []ledger.Credit{{101, 630_070_000_000_000}, {102, 1_260_140_000_000_000}}},
		weight(101, 1, 3), weight(102, 2, 3))
}

// Two miners at the least that one satoshi can be split over, and far more
// miners than satoshis: nothing is rounded away, nobody is charged.
func TestPeerRoundsWhatItSendsButNotWhatItDeducts(t *testing.T) {
	peerSplit(t, 1, func(*ledger.Terms) {}, ledger.SplitResult{Credits: []ledger.Credit{{101, 0}, {102, 1}}}, weight(101, 1, 3), weight(102, 2, 3))
}

func TestPeerPaysTheOperatorForAnEmptyWindow(t *testing.T) {
	_, err := ledger.Split(ledger.SplitInput{Value: 1, Terms: terms()})
	if err == nil || !strings.Contains(err.Error(), "window is empty") {
		t.Errorf("Split of an empty window = %v", err)
	}
}

func TestPeerDonatesEverythingByDefault(t *testing.T) {
	all := terms()
	all.DonationBps = 10_000
	if err := all.Validate(); err == nil {
		t.Error("a donation of everything was accepted")
	}
}

// p2poolv2 has neither a least output nor a limit to their number.
func TestPeerHasNoLeastOutput(t *testing.T) {
	split := ledger.SplitResult{Credits: []ledger.Credit{{101, 1}, {102, 5000}, {103, 90_000}}}
	scripts := map[int64][]byte{101: p2wpkh(1), 102: p2wpkh(2), 103: p2wpkh(3)}
	outputs, rest := ledger.Direct(split, scripts, poolScript, ledger.CoinbaseLimits{MinOutput: 1000, Room: 2 * 31})
	if diff := cmp.Diff([]ledger.Credit{{103, 90_000}}, outputs); diff != "" || rest != 5001 {
		t.Errorf("rest %d, want 5001; outputs (-want +got):\n%s", rest, diff)
	}
}
