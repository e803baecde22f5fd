package bitcoind

import "fmt"

// DiskLimits are how much free space, in bytes, is how bad for a node.
type DiskLimits struct {
	Warn  int64 // somebody should make room
	Alarm int64 // at once
	Stop  int64 // the node is stopped in order: one that finds no room dies, and may not start again
}

// LimitsOf returns the limits for a network on a file system of a size. A private
// chain grows by kilobytes.
func LimitsOf(network string, total int64) DiskLimits {
	if network == NetworkPractice || network == NetworkRegtest {
		return DiskLimits{Warn: gb, Alarm: 500 * mb, Stop: 200 * mb}
	}
	return DiskLimits{Warn: min(total/100*15, 20*gb), Alarm: 5 * gb, Stop: 2 * gb}
}

const mb = 1_000_000

// room tells whether the disk has room for the node. Having been stopped for the
// lack of it, the node starts again only when there is clearly more, else it
// would stop and start in turn. A disk that cannot be measured is no reason to
// stop.
func (s *supervisor) room() (failure, bool) {
	m, err := s.care.Measure(s.care.Conf.Dir)
	if err != nil {
		return failure{}, true
	}
	limits := LimitsOf(s.care.Conf.Network, m.DiskTotal)
	need := limits.Stop
	if s.full {
		need = limits.Alarm
	}
	if s.full = m.DiskFree < need; !s.full {
		return failure{}, true
	}
	return failure{class: ClassDisk, text: fmt.Sprintf("The node is stopped because the disk that holds %s is nearly full: %d MB are free. "+
		"Make room; the node starts by itself when %d MB are free", s.care.Conf.Dir, m.DiskFree/mb, limits.Alarm/mb)}, false
}
