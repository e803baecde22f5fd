package alert

import (
	"strconv"
	"time"
)

// judgeNode finds a node that gives no work. One that has yet to get its chain is
// judgeSyncing's; it gives none either, so that what it had stalled of is not over.
func judgeNode(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Node == nil {
		return nil, false
	}
	if s.Node.Syncing {
		return only(r.hold(), true, nil), true
	}
	return s.Node.condition(r)
}

func judgeSyncing(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Node == nil {
		return nil, false
	}
	if !s.Node.Syncing {
		return nil, !s.Node.Bad // a node that is away has not got its chain meanwhile
	}
	return only(r.hold(), false, map[string]string{detailReason: s.Node.Reason, detailNext: s.Node.Next}), true
}

func judgePeers(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Private {
		return nil, true // nobody to be connected to
	}
	if s.Node == nil || s.Node.Peers == nil {
		return nil, false
	}
	if float64(*s.Node.Peers) >= r.Threshold {
		return nil, true
	}
	return only(r.hold(), false, map[string]string{"peers": strconv.Itoa(*s.Node.Peers)}), true
}

func judgeDisk(r Rule, s Snapshot) ([]Condition, bool)  { return s.Disk.condition(r) }
func judgeClock(r Rule, s Snapshot) ([]Condition, bool) { return s.Clock.condition(r) }

// backupPatience is how long a backup that failed may be made good by the next.
const backupPatience = time.Hour

func judgeBackup(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Backup == nil {
		return nil, false
	}
	b, last := s.Backup, s.Backup.Verified
	if last.IsZero() {
		last = b.Since
	}
	age := s.At.Sub(last)
	detail := map[string]string{"days": strconv.Itoa(int(age.Hours() / 24)), detailReason: b.Reason, detailNext: b.Next}
	switch {
	case age >= time.Duration(r.Threshold*24*float64(time.Hour)):
		if b.Verified.IsZero() {
			detail[detailAs] = "never"
		}
		return only(0, false, detail), true
	case b.Failed:
		detail[detailAs] = "failed"
		return only(backupPatience, false, detail), true
	}
	return nil, true
}

func judgeFormat(_ Rule, s Snapshot) (list []Condition, known bool) {
	if s.Format == nil {
		return nil, true
	}
	f := s.Format
	return []Condition{{
		Subject: strconv.FormatInt(f.At.UnixMilli(), 10),
		Detail: map[string]string{
			"ledger": strconv.Itoa(f.Ledger), "shares": strconv.Itoa(f.Shares), "before": plain(f.Before, 40),
		},
	}}, true
}
