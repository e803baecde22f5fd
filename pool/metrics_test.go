package pool

import "testing"

// From a new tip to the miners, in this order.
func TestMetricsOfANewTip(t *testing.T) {
	b := newBench(t)
	k := b.join("")
	before := b.pool.Metrics()
	b.node.Mine(1)
	for k.next(t).Method != "mining.notify" {
	}
	b.eventually("the job has left", func() bool {
		m := b.pool.Metrics()
		return m.Tips == before.Tips+1 && !m.LastNotify.IsZero() && m.TipSeen.After(before.TipSeen)
	})
	m := b.pool.Metrics()
	if m.TipSeen.IsZero() || m.TemplateDone.Before(m.TipSeen) || m.Published.Before(m.TemplateDone) ||
		m.FirstNotify.Before(m.Published) || m.LastNotify.Before(m.FirstNotify) || m.Notified != 1 {
		t.Errorf("out of order: %+v", m)
	}
}
