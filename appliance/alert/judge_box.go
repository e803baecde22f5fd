package alert

import (
	"maps"
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

func judgeClock(r Rule, s Snapshot) ([]Condition, bool) { return s.Clock.condition(r) }

// Subjects of the box that are one of two stages, so that the second one is told even
// though the first one was.
const (
	urgent = "urgent" // of the disk; the other one is that it fills up
	failed = "failed" // of backups; the other one is that there was none for long
)

// judgeDisk finds a disk that fills up, and one that is nearly full. While it is that,
// it has no less filled up.
func judgeDisk(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Disk == nil {
		return nil, false
	}
	list, known = s.Disk.condition(r)
	if s.Disk.Bad && s.Disk.Urgent {
		list[0].Keep = true
		list = append(list, stage(urgent, r.hold(), false, s.Disk.detail()))
	}
	return list, known
}

// stage is a condition of the box of which there are two.
func stage(as string, hold time.Duration, keep bool, detail map[string]string) Condition {
	detail[detailAs] = as
	return Condition{Subject: as, Hold: hold, Keep: keep, Detail: detail}
}

// backupPatience is how long a backup that failed may be made good by the next.
const backupPatience = time.Hour

// judgeBackup finds that there was no backup for long, and that the last one failed.
// Neither is over before there is a good one again.
func judgeBackup(r Rule, s Snapshot) (list []Condition, known bool) {
	if s.Backup == nil {
		return nil, false
	}
	b, last := s.Backup, s.Backup.Verified
	if last.IsZero() {
		last = b.Since
	}
	age := s.At.Sub(last)
	old := age >= time.Duration(r.Threshold*24*float64(time.Hour))
	if !old && !b.Failed && !b.Stale {
		return nil, true
	}
	detail := map[string]string{"days": strconv.Itoa(int(age.Hours() / 24)), detailReason: b.Reason, detailNext: b.Next}
	if b.Verified.IsZero() {
		detail[detailAs] = "never"
	}
	return append(only(0, !old, detail), stage(failed, backupPatience, old || !b.Failed, maps.Clone(detail))), true
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
