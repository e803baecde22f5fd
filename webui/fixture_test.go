package webui

import (
	"strings"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/drill"
	"github.com/dmpool/dmpool/pool"
)

// The people and things of the golden data.
const (
	aliceAddress = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
	bobAddress   = "tb1pqqqqp399et2xygdj5xreqhjjvcmzhxw4aywxecjdzew6hylgvsesf3hn0c"
	newAddress   = "tb1q6rz28mcfaxtmd6v789l9rrlrusdprr9pqcpvkl"
	password     = "Correct horse, battery!"
	examplePSBT  = "cHNidP8BAAA="
	hostile      = `<script>alert("x")</script>`
)

var noon = time.Date(2026, 11, 22, 12, 0, 7, 0, time.UTC)

// golden is a box whose answers never change, but for what a test sets.
type golden struct {
	network    string // practice when empty
	settlement string // ledger when empty
	mu         sync.Mutex
	fresh      bool // not set up, or just set up with nothing in it
	health     health
	dashboard  dashboardView
	workers    []workerLine
	blocks     []blockLine
	block      blockView
	owed       []owedLine
	payouts    []payoutLine
	payout     payoutView
	node       nodeView
	jobs       jobsView
	monitoring monitoringView
	observer   observerView
	why        whyFacts
	shares     []shareLine
	paid       []paidLine
	slips      slips
	vault      vault
	safe       safe
	chest      chest
	crew
	brigade
	siren
	shed
	hosts []string

	settings pool.Settings
	rev      int64 // of the settings

	approved  []approval
	ruled     []accountRule
	adjust    adjustView
	adjusted  []adjustment
	changed   []payoutChange
	books     booksView
	corrected []correction
	imported  []signedFile
	bare      bool // there are no certificates
	lonely    bool // one operator is not enough
	people    []personLine
	moved     []peopleChange
	cancelled []int64
	ran       []string
	ordered   []string // versions of Bitcoin Core, and files
	drafted   []string
	out       int
	fail      error
	changes   chan event
}

func newGolden() *golden {
	g := &golden{changes: make(chan event, 8), hosts: []string{"192.168.1.50"}}
	at := func(d time.Duration) time.Time { return noon.Add(-d) }
	g.books = booksView{Compared: &compareLine{At: at(4 * time.Minute), Height: 925001, Booked: 366_878_793, OnTheWay: 512_000, Wallet: 366_366_793}}
	g.people = []personLine{{operator: operator{1, "admin"}, AddedAt: at(9000 * time.Hour), PasswordAt: at(900 * time.Hour), Sessions: 2, Factor: true}, {operator: operator{2, "bert"}, AddedAt: at(50 * time.Hour), PasswordAt: at(50 * time.Hour)}}
	g.settings, g.rev = pool.DefaultSettings("practice"), 7
	g.drills.Last = []drill.Report{goodDrill(), badDrill()}
	g.settings.Metrics = pool.MetricsToken
	g.health = health{Status: "healthy", Checks: []check{
		{Name: "node", Status: "healthy", Reason: "The node is at block 925001."},
		{Name: "stratum", Status: "healthy", Reason: "5 miners are connected."},
		{Name: "wallet", Status: "healthy", Reason: "The wallet is loaded."},
		{Name: "db", Status: "healthy", Reason: "Both databases answer."},
		{Name: "ledger", Status: "healthy", Reason: "All sums agree."},
	}}
	teras := func(v float64) *float64 { return new(v * 1e12) }
	g.workers = []workerLine{
		{
			Address: aliceAddress, Name: "bitaxe1", Status: "online", UserAgent: "bitaxe/BM1370/v2.9.0",
			Rates: rates{teras(1.19), teras(1.21), teras(1.18), teras(1.15)}, Difficulty: new(1024.0),
			Accepted: 18201, Late: 14, Rejected: 12, Reasons: []reasonLine{{"stale", 9}, {"low-difficulty", 3}},
			Best: bests{Ever: new(48.2e9), EverAt: at(400 * time.Hour)}, LastShare: at(12 * time.Second),
		},
		{
			Address: aliceAddress, Name: hostile, Status: "idle", UserAgent: `"><script>alert(1)</script>`,
			Rates: rates{new(0.0), new(78_300.0), new(77_100.0), nil}, Difficulty: new(0.00012),
			Accepted: 310, Best: bests{Ever: new(0.81)}, LastShare: at(7 * time.Minute),
		},
		{
			Address: bobAddress, Name: "s19", Status: "online", UserAgent: "cgminer/4.11.1",
			Rates: rates{teras(96.3), teras(95.1), teras(95.8), teras(94.9)}, Difficulty: new(131072.0),
			Accepted: 91422, Rejected: 77, Reasons: []reasonLine{{"stale", 61}, {"duplicate", 16}},
			Best: bests{Ever: new(1.31e12), EverAt: at(900 * time.Hour)}, LastShare: at(3 * time.Second),
		},
		{
			Address: bobAddress, Name: "", Status: "offline", UserAgent: "",
			Rates: rates{new(0.0), new(0.0), teras(0.41), teras(0.6)}, Accepted: 2044,
			Best: bests{Ever: new(3.3e9)}, LastShare: at(14 * time.Hour),
		},
	}
	g.workers[0].Label, g.workers[0].Tags, g.workers[0].Account = "Kitchen", []string{"quiet", "wifi"}, "Alice"
	hash := func(tail string) string { return strings.Repeat("0", 64-len(tail)) + tail }
	g.blocks = []blockLine{
		{ID: 4, Hash: hash("7be1c04d52aa9913f0"), Height: 925001, FoundAt: at(4 * time.Minute), State: "found", Value: 316_600_000, Finder: bobAddress, Worker: "s19", Maturity: 101},
		{ID: 3, Hash: hash("1f0c9db2ab11e00451"), Height: 924980, FoundAt: at(5 * time.Hour), State: "accepted", Value: 314_200_114, Finder: aliceAddress, Worker: "bitaxe1", Confirmations: 22, Maturity: 101},
		{ID: 2, Hash: hash("9d1a7720cd00ffe1a2"), Height: 924211, FoundAt: at(140 * time.Hour), State: "mature", Value: 313_020_500, Finder: aliceAddress, Worker: hostile, Confirmations: 791, Maturity: 101},
		{ID: 1, Hash: hash("33c14b1d0a9effe107"), Height: 923007, FoundAt: at(400 * time.Hour), State: "orphaned", Value: 312_700_001, Finder: bobAddress, Worker: "s19", Confirmations: -1, Maturity: 101},
	}
	g.block = blockView{
		blockLine: g.blocks[1], Prev: hash("88a1"), CoinbaseTx: strings.Repeat("c0ffee", 10) + "1234", Difficulty: new(150.84e12),
		Submitted: true, Frozen: true, Settlement: "ledger", FeeBps: 100, WindowPct: "200",
		Fee: 3_142_001, Reserve: 1, Credits: []creditLine{
			{Address: bobAddress, Amount: 250_000_112, Share: new(250_000_112.0 / 314_200_114)},
			{Address: aliceAddress, Amount: 61_058_000, Share: new(61_058_000.0 / 314_200_114)},
		},
		Text: "/Hill & Valley/", Outputs: []outputLine{
			{314_200_114, newAddress, "pool"}, {0, "", "commitment"},
		},
	}
	g.owed = []owedLine{
		{Address: bobAddress, Payable: 1_222_300, Pending: 250_000_112, Reserved: 512_000, Paid: 44_120_000, Due: true},
		{Address: aliceAddress, Payable: 45_210, Pending: 61_058_000, Paid: 9_300_000, Reason: "Below the minimum of 100000 sats."},
		{Address: newAddress, Payable: 400_000, Reason: "The account is on hold.", Hold: true, MinPayout: 1_000_000},
	}
	txid := strings.Repeat("9f3c", 16)
	g.payouts = []payoutLine{
		{ID: 42, Rev: 3, State: "pending", Purpose: "miners", Waits: true, Total: 1_222_300, Miners: 2, Fee: new(int64(1410)), TxID: txid, CreatedAt: at(2 * time.Minute), CreatedBy: "schedule", ExpiresAt: noon.Add(24 * time.Hour), Settles: 6},
		{ID: 41, Rev: 5, State: "broadcast", Purpose: "miners", Total: 512_000, Miners: 1, Fee: new(int64(980)), TxID: strings.Repeat("ab12", 16), CreatedAt: at(time.Hour), CreatedBy: "admin", Settles: 6},
		{ID: 40, Rev: 7, State: "settled", Purpose: "miners", Total: 9_300_000, Miners: 1, Fee: new(int64(1100)), TxID: strings.Repeat("77e0", 16), CreatedAt: at(90 * time.Hour), CreatedBy: "schedule", Confirmations: 412, Settles: 6},
		{ID: 39, Rev: 3, State: "expired", Purpose: "miners", Total: 9_100_000, Miners: 1, CreatedAt: at(120 * time.Hour), CreatedBy: "schedule", Problem: "Nobody approved it within 24 hours."},
	}
	g.payout = payoutView{
		payoutLine: g.payouts[0], Digest: strings.Repeat("5a", 32), Change: 1_876_290, FeeCap: 5000,
		VSize: 312, Estimated: true,
		Items: []itemLine{
			{aliceAddress, 512_000, 0, &earnedLine{First: true, Sum: 512_000, Blocks: []blockPart{{g.blocks[2].Hash, 924211, 512_000}}}},
			{bobAddress, 710_300, 0, &earnedLine{
				Sum: 812_345, Blocks: []blockPart{{g.blocks[2].Hash, 924211, 400_000}, {g.blocks[1].Hash, 924110, 400_000}, {g.blocks[0].Hash, 924002, 12_345}},
				Lost: []blockPart{{g.blocks[3].Hash, 923007, -102_045}},
			}},
		},
		Inputs:     []inputLine{{strings.Repeat("11aa", 16), 0, 2_000_000}, {strings.Repeat("22bb", 16), 1, 1_100_000}},
		WalletSats: new(int64(3_100_000)), Can: payoutCan{Approve: true, Cancel: true},
	}
	feed := feedView{
		Height: 925001, TipAt: at(4 * time.Minute), TemplateAt: at(12 * time.Second), Txs: 3120, Value: new(int64(316_600_000)),
		Difficulty: new(150.84e12), Peers: new(10), Phase: "ready", Text: "It has every block that its peers have: 925001.", Version: "Bitcoin Core 29.0",
	}
	g.node = nodeView{
		Feed: feed, Serving: true, Headers: 925001, Progress: new(1.0), PID: 4711, Since: at(50 * time.Hour),
		Wallet: walletView{Name: "pool", Mode: "own", Trusted: new(int64(3_100_000)), Immature: new(int64(314_200_114)), Pending: new(int64(0)), Address: aliceAddress},
		Figures: nodeFigures{
			Stratum: "open", Chain: "main", TipTime: at(4 * time.Minute), TipWarn: 90 * time.Minute, PeersIn: new(2), PeersOut: new(8),
			Asked: true, Says: []string{"This is a pre-release test build " + hostile}, Fees: new(int64(4_100_000)),
			News:     news{Way: "zmq", First: "zmq", Ready: new(0.041), Sent: new(0.0452)},
			Mempool:  &mempoolView{24_113, new(84e6)},
			FeeRates: []feeLine{{2, "8.2"}, {6, "4.1"}, {144, "1"}},
			RPC:      &rpcFigures{Median: new(0.003), P99: new(0.04), Calls: 15_204, Failed: 3, Span: time.Hour},
			Blocks:   new(9.87e9), Pruned: true, PruneTo: new(10e9), DiskFree: new(1188e9), DiskTotal: new(2000e9), DiskLasts: 52 * 24 * time.Hour,
		},
		Core: coreView{
			State: "idle", Text: "Bitcoin Core 30.3 is installed and checked.", InUse: "30.3",
			Choices: []string{"31.1", "30.3", "29.4"}, File: "bitcoin-31.1-x86_64-linux-gnu.tar.gz", Site: "https://bitcoincore.org/bin/bitcoin-core-31.1/",
		},
		Log: []string{"2026-11-22T11:55:59Z UpdateTip: new best=0000…7be1 height=925001", "2026-11-22T11:56:01Z CreateNewBlock(): block weight: 3991212 txs: 3120 " + hostile},
	}
	g.monitoring = measured()
	g.jobs = jobsView{
		Jobs: []jobLine{
			{Name: "block-check", Text: "Compares blocks with the chain", Every: 2 * time.Minute, Next: noon.Add(70 * time.Second), Last: at(50 * time.Second), Ran: true, OK: true},
			{Name: "payout-draft", Text: "Prepare payouts that are due", Every: 24 * time.Hour, Next: noon.Add(18 * time.Hour), Last: at(6 * time.Hour), Ran: true, OK: false, Message: "the wallet is not ready"},
			{Name: "upkeep", Text: "Look after the databases", Every: 6 * time.Hour, Next: noon.Add(15 * time.Hour)},
		},
		Runs: []runLine{
			{Job: "block-check", Started: at(50 * time.Second), Finished: at(49 * time.Second), OK: true},
			{Job: "payout-draft", Started: at(6 * time.Hour), Finished: at(6*time.Hour - 1200*time.Millisecond), Message: "the wallet is not ready"},
			{Job: "block-check", Started: at(3 * time.Second)},
		},
	}
	g.dashboard = dashboardView{
		Serving: true, Rates: rates{teras(97.5), teras(96.3), teras(97.4), teras(96.7)}, Online: 3, Offline: 1,
		Rejected: new(0.0012), Mostly: "stale", Best: bests{Session: new(9.1e9), Round: new(48.2e9), Ever: new(1.31e12), EverAt: at(900 * time.Hour)},
		Effort: new(0.0000412), Luck: newLuck(new(150.84e12), teras(96.3)),
		Money: moneyView{
			Owed: new(int64(1_267_510)), Pending: new(int64(311_058_112)), Reserved: new(int64(512_000)),
			Trusted: new(int64(52_678_679_531)), Immature: new(int64(314_200_114)),
		},
		Waiting: g.payouts[:1], Feed: feed, Jobs: g.jobs.Jobs,
		Recent: []recentLine{
			{At: at(4 * time.Minute), Kind: "block", State: "found", Height: 925001, Link: "/blocks/" + g.blocks[0].Hash},
			{At: at(time.Hour), Kind: "payout", State: "broadcast", Name: "41", Amount: 512_000, Link: "/payouts/41"},
			{At: at(2 * time.Hour), Kind: "login", State: "ok", Name: "admin", IP: "192.168.1.9", Link: "/audit?action=login"},
			{At: at(3 * time.Hour), Kind: "login", State: "failed", Name: "unknown", IP: "192.168.1.77", Link: "/audit?action=login"},
			{At: at(6 * time.Hour), Kind: "job", State: "failed", Name: "payout-draft", Link: "/jobs"},
		},
	}
	g.observer = observerView{
		Address: aliceAddress, Known: true, Rates: g.workers[0].Rates, LastShare: at(12 * time.Second),
		Best:     bests{Session: new(2.1e9), Round: new(8.8e9), Ever: new(48.2e9), EverAt: at(400 * time.Hour)},
		Accepted: 18511, Rejected: 12, Reasons: g.workers[0].Reasons, Workers: g.workers[:2],
		Balance:   balanceView{Unpaid: 45_210, Pending: 261_061_058_000, Paid: 9_300_000},
		MinPayout: 100_000, Luck: newLuck(new(150.84e12), teras(1.21)), WindowPct: new(0.196), Estimate: new(int64(61_430_000)),
	}
	for i := range 12 {
		g.shares = append(g.shares, shareLine{At: at(time.Duration(12+9*i) * time.Second), Worker: "bitaxe1", Difficulty: 1024, Achieved: 1024 * (1 + float64(i*i)), Late: i == 3})
	}
	g.shares[5].Worker, g.shares[7].Block = hostile, true
	g.paid = []paidLine{
		{ID: 42, Amount: 512_000, State: "pending", CreatedAt: at(2 * time.Minute)},
		{ID: 40, Amount: 9_300_000, State: "settled", TxID: strings.Repeat("77e0", 16), Vout: new(1), CreatedAt: at(90 * time.Hour), Confirmations: 412},
	}
	g.why = whyFacts{
		Now: noon, Shares: 18_511, FirstShare: at(900 * time.Hour), LastShare: at(12 * time.Second), Credited: true,
		Blocks:  []whyBlock{{blockLine: g.blocks[1], Split: true, Part: 61_058_000}},
		Balance: g.observer.Balance, Least: 100_000, Every: 24 * time.Hour, Luck: g.dashboard.Luck,
		Payment: &whyPayment{g.paid[1], 6},
	}
	g.crew = newCrew()
	g.siren = newSiren()
	g.shed = newShed()
	g.slips = newSlips(g)
	g.chest = newChest()
	g.safe.audit, g.safe.proof = goldenAudit(), auditProof{To: 7}
	return g
}

// empty makes the box look as on its first minute: set up, and nothing known.
func (g *golden) empty() *golden {
	g.fresh = true
	g.dashboard = dashboardView{Serving: false, Reason: "The node is still starting: Loading block index…"}
	g.health = health{Status: "degraded", Checks: []check{
		{Name: "node", Status: "degraded", Reason: "Loading block index…", NextStep: "Wait; this takes a few minutes."},
		{Name: "db", Status: "healthy"},
	}}
	g.workers, g.blocks, g.owed, g.payouts, g.shares, g.paid = nil, nil, nil, nil, nil, nil
	g.jobs, g.monitoring = jobsView{}, monitoringView{Started: noon, Machine: []meter{newMeter("cpu", inPercent, nil, nil, sampleSlots), newMeter("warmth", inCelsius, nil, nil, sampleSlots)}}
	g.people = g.people[:1]
	g.node = nodeView{Feed: feedView{Phase: "warming", Text: "Loading block index…"}, Reason: "The node is still starting.", Progress: new(0.934), Figures: nodeFigures{Stratum: "waiting"}}
	g.observer = observerView{Address: newAddress}
	g.slips, g.crew, g.brigade, g.chest, g.siren = slips{}, crew{}, brigade{}, emptyChest(), siren{rules: g.rules, policy: g.policy}
	g.shed = shed{}
	return g
}
