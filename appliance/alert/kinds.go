package alert

import "time"

// Level is how much an alert matters.
type Level string

// The levels.
const (
	Info     Level = "info"
	Warning  Level = "warning"
	Critical Level = "critical"
)

// valid tells whether there is such a level.
func (l Level) valid() bool { return l == Info || l == Warning || l == Critical }

// rank orders levels.
func (l Level) rank() int {
	switch l {
	case Critical:
		return 2
	case Warning:
		return 1
	}
	return 0
}

// The types of rules.
const (
	WorkerOffline   = "worker_offline"
	HashrateDrop    = "hashrate_drop"
	RejectRate      = "reject_rate"
	BlockFound      = "block_found"
	BlockMature     = "block_mature"
	BlockOrphaned   = "block_orphaned"
	BlockRejected   = "block_rejected"
	PayoutApprove   = "payout_approve"
	PayoutStuck     = "payout_stuck"
	PayoutConfirmed = "payout_confirmed"
	NodeStalled     = "node_stalled"
	NodeSyncing     = "node_syncing"
	NodePeers       = "node_peers"
	DiskLow         = "disk"
	ClockWrong      = "clock"
	BackupOld       = "backup_old"
	LedgerFrozen    = "ledger_frozen"
	BestShare       = "best_share"
	FormatNew       = "format_new"

	// Only as rules of the operators' own.
	HashrateBelow    = "hashrate_below"
	HashrateAbove    = "hashrate_above"
	NoBlock          = "no_block"
	WorkerCountBelow = "worker_count_below"
)

// Kind is what the program knows of a type of rules.
type Kind struct {
	Type    string
	Group   string // where it stands on the page: miners, blocks, payouts, node, box
	Lasting bool   // it is so until it is over; else it happens
	Tells   bool   // channels hear of its end, too
	Own     bool   // it is there only as a rule of the operators' own

	Unit    string  // of the threshold: percent, hours, days, peers, workers, ths; empty: it has none
	Least   float64 // of the threshold
	Most    float64
	Minutes bool // it has a time for which it has to be so
	Again   bool // it has a cool-down

	Default Rule

	// Gather is how long the first of several waits for the others.
	Gather time.Duration
	// Single tells that all subjects share the cool-down: only the newest is news.
	Single bool
	// First tells that even at the first look of all what has happened is news.
	First bool

	judge func(Rule, Snapshot) (list []Condition, known bool)
}

// gatherWorkers is enough for all whom one switch has taken along: they are seen to be
// offline by their last shares, which are seconds apart.
const gatherWorkers = time.Minute

// Kinds are all types of rules, in the order of the page.
func Kinds() []Kind {
	list := []Kind{
		{
			Type: WorkerOffline, Group: "miners", Lasting: true, Tells: true, Minutes: true, Again: true, Gather: gatherWorkers,
			Default: Rule{Level: Warning, Minutes: 10, Cooldown: 60}, judge: judgeWorkers,
		},
		{
			Type: HashrateDrop, Group: "miners", Lasting: true, Tells: true, Unit: "percent", Least: 5, Most: 95, Minutes: true, Again: true,
			Default: Rule{Level: Warning, Threshold: 50, Minutes: 10, Cooldown: 180}, judge: judgeDrop,
		},
		{
			Type: RejectRate, Group: "miners", Lasting: true, Tells: true, Unit: "percent", Least: 1, Most: 90, Again: true, Gather: gatherWorkers,
			Default: Rule{Level: Warning, Threshold: 5, Cooldown: 360}, judge: judgeRejects,
		},
		{
			Type: BestShare, Group: "miners", Again: true, Single: true,
			Default: Rule{Level: Info, Cooldown: 60}, judge: judgeBest,
		},
		{Type: BlockFound, Group: "blocks", Default: Rule{Level: Info}, judge: judgeFound},
		{Type: BlockMature, Group: "blocks", Default: Rule{Level: Info}, judge: judgeMature},
		{Type: BlockOrphaned, Group: "blocks", Default: Rule{Level: Warning, Urgent: true}, judge: judgeOrphaned},
		{Type: BlockRejected, Group: "blocks", Default: Rule{Level: Critical, Urgent: true}, judge: judgeRejected},
		{Type: PayoutApprove, Group: "payouts", Lasting: true, Default: Rule{Level: Info}, judge: judgeApprove},
		{
			Type: PayoutStuck, Group: "payouts", Lasting: true, Tells: true, Unit: "hours", Least: 1, Most: 168, Minutes: true, Again: true,
			Default: Rule{Level: Critical, Urgent: true, Threshold: 6, Minutes: 10, Cooldown: 360}, judge: judgeStuck,
		},
		{Type: PayoutConfirmed, Group: "payouts", Default: Rule{Level: Info}, judge: judgeConfirmed},
		{
			Type: LedgerFrozen, Group: "payouts", Lasting: true, Tells: true, Again: true,
			Default: Rule{Level: Critical, Urgent: true, Cooldown: 60}, judge: judgeFrozen,
		},
		{
			Type: NodeStalled, Group: "node", Lasting: true, Tells: true, Minutes: true, Again: true,
			Default: Rule{Level: Critical, Urgent: true, Minutes: 5, Cooldown: 30}, judge: judgeNode,
		},
		{
			Type: NodeSyncing, Group: "node", Lasting: true, Tells: true, Minutes: true, Again: true,
			Default: Rule{Level: Warning, Minutes: 10, Cooldown: 180}, judge: judgeSyncing,
		},
		{
			Type: NodePeers, Group: "node", Lasting: true, Tells: true, Unit: "peers", Least: 1, Most: 100, Minutes: true, Again: true,
			Default: Rule{Level: Warning, Threshold: 1, Minutes: 10, Cooldown: 60}, judge: judgePeers,
		},
		{
			Type: DiskLow, Group: "box", Lasting: true, Tells: true, Minutes: true, Again: true,
			Default: Rule{Level: Critical, Urgent: true, Minutes: 2, Cooldown: 720}, judge: judgeDisk,
		},
		{
			Type: ClockWrong, Group: "box", Lasting: true, Tells: true, Minutes: true, Again: true,
			Default: Rule{Level: Critical, Minutes: 5, Cooldown: 180}, judge: judgeClock,
		},
		{
			Type: BackupOld, Group: "box", Lasting: true, Tells: true, Unit: "days", Least: 1, Most: 90, Again: true,
			Default: Rule{Level: Warning, Threshold: 3, Cooldown: 1440}, judge: judgeBackup,
		},
		{Type: FormatNew, Group: "box", First: true, Default: Rule{Level: Info}, judge: judgeFormat},
		{
			Type: HashrateBelow, Group: "miners", Lasting: true, Tells: true, Own: true, Unit: "ths", Least: 0.000001, Most: 1e9, Minutes: true, Again: true,
			Default: Rule{Level: Warning, Minutes: 10, Cooldown: 180}, judge: judgeBelow,
		},
		{
			Type: HashrateAbove, Group: "miners", Lasting: true, Tells: true, Own: true, Unit: "ths", Least: 0.000001, Most: 1e9, Minutes: true, Again: true,
			Default: Rule{Level: Info, Minutes: 10, Cooldown: 180}, judge: judgeAbove,
		},
		{
			Type: WorkerCountBelow, Group: "miners", Lasting: true, Tells: true, Own: true, Unit: "workers", Least: 1, Most: 100_000, Minutes: true, Again: true,
			Default: Rule{Level: Warning, Threshold: 1, Minutes: 10, Cooldown: 60}, judge: judgeCount,
		},
		{
			Type: NoBlock, Group: "blocks", Lasting: true, Own: true, Minutes: true, Again: true,
			Default: Rule{Level: Info, Minutes: 1440, Cooldown: 1440}, judge: judgeNoBlock,
		},
	}
	for i := range list {
		d := &list[i].Default
		d.Key, d.Type, d.Enabled = list[i].Type, list[i].Type, !list[i].Own
	}
	return list
}

// KindOf returns what is known of a type.
func KindOf(kind string) (Kind, bool) {
	for _, k := range Kinds() {
		if k.Type == kind {
			return k, true
		}
	}
	return Kind{}, false
}
