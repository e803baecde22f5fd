package alert

import (
	"maps"
	"slices"
	"testing"
	"time"
)

// fine is a box that has nothing to tell.
func fine() Snapshot {
	peers := 8
	worker := Worker{Address: "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", Name: "bitaxe1", LastShare: noon.Add(-8 * time.Second), Accepted: 400, Rejected: 2}
	return Snapshot{
		At: noon, Node: &Node{Peers: &peers}, Disk: &Disk{}, Clock: &Part{}, Backup: &Backup{Verified: noon.Add(-6 * time.Hour)},
		Mine: &Mine{
			WorkSince: noon.Add(-48 * time.Hour), FirstShare: noon.Add(-240 * time.Hour), Recent: 1e12, Day: 1.1e12, Workers: []Worker{worker},
		},
		Books: &Books{},
	}
}

// cases change a fine box so that one rule has something to tell.
func cases() map[string]func(s *Snapshot) {
	bad := Part{Bad: true, Reason: "Something is wrong.", Next: "Mend it."}
	block := Block{Hash: "00000000000000000000a1b2", Height: 925_001, At: noon, Sats: 312_500_000, Finder: Worker{Address: "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", Name: "bitaxe1"}}
	in := func(state string) func(s *Snapshot) {
		return func(s *Snapshot) {
			b := block
			b.State, b.Refusal = state, "bad-txns"
			s.Books.Blocks = []Block{b}
		}
	}
	payout := func(p Payout) func(s *Snapshot) {
		p.ID, p.Sats, p.Recipients, p.Changed = 7, 1_222_300, 4, noon.Add(-time.Minute)
		return func(s *Snapshot) { s.Books.Payouts = []Payout{p} }
	}
	return map[string]func(s *Snapshot){
		WorkerOffline:   func(s *Snapshot) { s.Mine.Workers[0].LastShare = noon.Add(-14 * time.Minute) },
		HashrateDrop:    func(s *Snapshot) { s.Mine.Recent = 0.4e12 },
		RejectRate:      func(s *Snapshot) { s.Mine.Workers[0].Rejected = 40 },
		BlockFound:      in("found"),
		BlockMature:     in("mature"),
		BlockOrphaned:   in("orphaned"),
		BlockRejected:   in("rejected"),
		PayoutApprove:   payout(Payout{State: "pending", Waits: true}),
		PayoutStuck:     payout(Payout{State: "signed", Problem: "The wallet is locked."}),
		PayoutConfirmed: payout(Payout{State: "confirmed", TxID: "ab"}),
		NodeStalled:     func(s *Snapshot) { s.Node.Part = bad },
		NodeSyncing:     func(s *Snapshot) { s.Node.Syncing, s.Node.Reason = true, "It downloads the chain." },
		NodePeers:       func(s *Snapshot) { *s.Node.Peers = 0 },
		DiskLow:         func(s *Snapshot) { s.Disk.Part = bad },
		ClockWrong:      func(s *Snapshot) { s.Clock = &bad },
		BackupOld:       func(s *Snapshot) { s.Backup.Verified = noon.AddDate(0, 0, -4) },
		LedgerFrozen:    func(s *Snapshot) { s.Books.Frozen = bad },
		BestShare: func(s *Snapshot) {
			s.Mine.Best = Best{Difficulty: 1.31e12, At: noon, Worker: s.Mine.Workers[0]}
		},
		FormatNew:        func(s *Snapshot) { s.Format = &Format{At: noon, Ledger: 18, Shares: 2} },
		HashrateBelow:    func(s *Snapshot) { s.Mine.Recent = 0.4e12 },
		HashrateAbove:    func(s *Snapshot) { s.Mine.Recent = 3e12 },
		WorkerCountBelow: func(s *Snapshot) { s.Mine.Workers = nil },
		NoBlock:          func(s *Snapshot) { s.Mine.FirstShare = noon.AddDate(0, 0, -30) },
	}
}

// ruleOf is the program's rule of a type, with a threshold where the operators have to
// set one.
func ruleOf(k Kind) Rule {
	r := k.Default
	if k.Unit == "ths" {
		r.Threshold = 2
		if k.Type == HashrateBelow {
			r.Threshold = 0.5
		}
	}
	return r
}

// Each rule notices its own case, and no other rule's box raises it.
func TestEachRuleHasItsCase(t *testing.T) {
	all := cases()
	for _, k := range Kinds() {
		rule := ruleOf(k)
		s := fine()
		if list, known := k.judge(rule, s); !known || len(list) > 0 && k.Type != NoBlock {
			t.Errorf("%s: a fine box: %v, known %t", k.Type, list, known)
		}
		change, ok := all[k.Type]
		if !ok {
			t.Errorf("%s has no case", k.Type)
			continue
		}
		s = fine()
		change(&s)
		list, known := k.judge(rule, s)
		if !known || len(news(list)) != 1 {
			t.Errorf("%s: its case: %+v, known %t", k.Type, list, known)
		}
	}
}

// news leaves out what is but kept.
func news(list []Condition) []Condition {
	return slices.DeleteFunc(list, func(c Condition) bool { return c.Keep })
}

// What is not known is neither good nor bad.
func TestUnknownSnapshot(t *testing.T) {
	for _, k := range Kinds() {
		list, known := k.judge(ruleOf(k), Snapshot{At: noon})
		if len(list) > 0 || known && k.Type != FormatNew {
			t.Errorf("%s: of an empty snapshot: %v, known %t", k.Type, list, known)
		}
	}
}

func TestJudgements(t *testing.T) {
	tests := []struct {
		name   string
		kind   string
		change func(s *Snapshot)
		want   string // "", "keep", "raise" or "unknown"
	}{
		{"nobody can have a share while no work goes out", WorkerOffline, func(s *Snapshot) {
			s.Mine.WorkSince, s.Mine.Workers[0].LastShare = time.Time{}, noon.Add(-time.Hour)
		}, "unknown"},
		{"work has just begun to go out", WorkerOffline, func(s *Snapshot) {
			s.Mine.WorkSince, s.Mine.Workers[0].LastShare = noon.Add(-time.Minute), noon.Add(-time.Hour)
		}, "keep"},
		{"away for weeks", WorkerOffline, func(s *Snapshot) { s.Mine.Workers[0].LastShare = noon.AddDate(0, 0, -20) }, "keep"},
		{"banned", WorkerOffline, func(s *Snapshot) {
			s.Mine.Workers[0].LastShare, s.Mine.Workers[0].Banned = noon.Add(-time.Hour), true
		}, "keep"},
		{"a little less", HashrateDrop, func(s *Snapshot) { s.Mine.Recent = 0.6 * s.Mine.Day }, ""},
		{"nearly recovered", HashrateDrop, func(s *Snapshot) { s.Mine.Recent = 0.55 * s.Mine.Day }, "keep"},
		{"work has just begun again", HashrateDrop, func(s *Snapshot) { s.Mine.Recent, s.Mine.WorkSince = 0, noon.Add(-10*time.Minute) }, "unknown"},
		{"all have been away for a day", HashrateDrop, func(s *Snapshot) { s.Mine.Recent, s.Mine.Day = 0, 0 }, "unknown"},
		{"the pool is an hour old", HashrateDrop, func(s *Snapshot) { s.Mine.Recent, s.Mine.FirstShare = 0, noon.Add(-time.Hour) }, ""},
		{"three of ten shares", RejectRate, func(s *Snapshot) { s.Mine.Workers[0].Accepted, s.Mine.Workers[0].Rejected = 7, 3 }, "keep"},
		{"twenty good shares", RejectRate, func(s *Snapshot) { s.Mine.Workers[0].Accepted, s.Mine.Workers[0].Rejected = 20, 0 }, ""},
		{"no share any more", RejectRate, func(s *Snapshot) { s.Mine.Workers[0].Accepted, s.Mine.Workers[0].Rejected = 0, 0 }, "keep"},
		{"three percent", RejectRate, func(s *Snapshot) { s.Mine.Workers[0].Accepted, s.Mine.Workers[0].Rejected = 97, 3 }, "keep"},
		{"another was first", BlockOrphaned, func(s *Snapshot) { s.Books.Blocks = []Block{{Hash: "a", State: "stale"}} }, "raise"},
		{"sent an hour ago", PayoutStuck, func(s *Snapshot) {
			s.Books.Payouts = []Payout{{ID: 1, State: "broadcast", Changed: noon.Add(-time.Hour)}}
		}, ""},
		{"sent a day ago", PayoutStuck, func(s *Snapshot) {
			s.Books.Payouts = []Payout{{ID: 1, State: "broadcast", Changed: noon.Add(-24 * time.Hour)}}
		}, "raise"},
		{"a higher fee waits for a yes", PayoutApprove, func(s *Snapshot) {
			s.Books.Payouts = []Payout{{ID: 1, State: "broadcast", Waits: true}}
		}, "raise"},
		{"settled already", PayoutConfirmed, func(s *Snapshot) { s.Books.Payouts = []Payout{{ID: 1, State: "settled"}} }, "raise"},
		{"a node that syncs has not stalled", NodeStalled, func(s *Snapshot) { s.Node.Syncing, s.Node.Bad = true, true }, "keep"},
		{"a node that is away is not synced by that", NodeSyncing, func(s *Snapshot) { s.Node.Bad = true }, "unknown"},
		{"a private chain has no peers", NodePeers, func(s *Snapshot) { *s.Node.Peers, s.Private = 0, true }, ""},
		{"no backup for two days", BackupOld, func(s *Snapshot) { s.Backup.Verified = noon.AddDate(0, 0, -2) }, ""},
		{"the first backup is due", BackupOld, func(s *Snapshot) { *s.Backup = Backup{Since: noon.Add(-time.Hour)} }, ""},
		{"never a backup", BackupOld, func(s *Snapshot) { *s.Backup = Backup{Since: noon.AddDate(0, 0, -3)} }, "raise"},
	}
	for _, test := range tests {
		k, _ := KindOf(test.kind)
		s := fine()
		test.change(&s)
		list, known := k.judge(ruleOf(k), s)
		got := ""
		switch {
		case !known:
			got = "unknown"
		case len(list) > 0 && list[0].Keep:
			got = "keep"
		case len(list) > 0:
			got = "raise"
		}
		if got != test.want {
			t.Errorf("%s, %s: %q, want %q", test.kind, test.name, got, test.want)
		}
	}
}

// What gets worse in a second stage is told again, and the first stage lasts meanwhile.
func TestStages(t *testing.T) {
	tests := []struct {
		name   string
		kind   string
		change func(s *Snapshot)
		want   map[string]string // of each subject: keep or raise
	}{
		{"the disk fills up", DiskLow, func(s *Snapshot) { s.Disk.Bad = true }, map[string]string{"": "raise"}},
		{"the disk is nearly full", DiskLow, func(s *Snapshot) { s.Disk.Bad, s.Disk.Urgent = true, true }, map[string]string{"": "keep", urgent: "raise"}},
		{"the last backup failed", BackupOld, func(s *Snapshot) { s.Backup.Failed = true }, map[string]string{"": "keep", failed: "raise"}},
		{"no backup for four days", BackupOld, func(s *Snapshot) { s.Backup.Verified = noon.AddDate(0, 0, -4) }, map[string]string{"": "raise", failed: "keep"}},
		{"all of them failed for four days", BackupOld, func(s *Snapshot) {
			s.Backup.Verified, s.Backup.Failed = noon.AddDate(0, 0, -4), true
		}, map[string]string{"": "raise", failed: "keep"}},
		{"tonight's backup was not made", BackupOld, func(s *Snapshot) {
			s.Backup.Verified, s.Backup.Stale = noon.AddDate(0, 0, -2), true
		}, map[string]string{"": "keep", failed: "keep"}},
	}
	for _, test := range tests {
		k, _ := KindOf(test.kind)
		s := fine()
		test.change(&s)
		list, known := k.judge(ruleOf(k), s)
		got := map[string]string{}
		for _, c := range list {
			got[c.Subject] = "raise"
			if c.Keep {
				got[c.Subject] = "keep"
			}
		}
		if !known || !maps.Equal(got, test.want) {
			t.Errorf("%s: %v, known %t; want %v", test.name, got, known, test.want)
		}
	}
}
