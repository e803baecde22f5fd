package metrics

import (
	"maps"
	"slices"
	"time"
)

// ownFamilies are the names that no other pool has.
func ownFamilies() []Family {
	machine := func(read func(m *Machine) *float64) func(*Snapshot, *lines) {
		return func(s *Snapshot, out *lines) { out.known(read(&s.Machine)) }
	}
	money := func(read func(m *Money, out *lines)) func(*Snapshot, *lines) {
		return func(s *Snapshot, out *lines) {
			if s.Money != nil {
				read(s.Money, out)
			}
		}
	}
	return []Family{
		{"pool_info", Gauge, []string{"version", "network"}, "Always 1.", func(s *Snapshot, out *lines) {
			out.value(1, s.Release, s.Network)
		}},
		{"pool_health", Gauge, []string{"check"}, "Parts of the box: 1 is healthy, 0.5 degraded, 0 down.", func(s *Snapshot, out *lines) {
			for _, c := range s.Health {
				out.value(c.Level, c.Name)
			}
		}},
		{"pool_serving", Gauge, nil, "1 while miners get work.", func(s *Snapshot, out *lines) {
			out.flag(s.Mine != nil && s.Mine.Serving)
		}},
		{"pool_connections", Gauge, nil, "Connections of miners.", mine(func(m *Mine, out *lines) { out.value(float64(m.Connections)) })},
		{"pool_hashrate", Gauge, []string{"span"}, "Mean hash rate of a span of time, in hashes per second.", mine(func(m *Mine, out *lines) { out.each(m.Hashrates) })},
		{"pool_shares_rejected_total", Counter, []string{"reason"}, "Rejected shares by reason.", mine(func(m *Mine, out *lines) { eachOf(out, m.Rejected) })},
		{"pool_workers_left_out", Gauge, nil, "Workers of the last seven days that are not told one by one, because others did more.", mine(func(_ *Mine, out *lines) { out.value(float64(out.leftOut)) })},
		{"pool_blocks", Gauge, []string{"state"}, "Blocks of the pool by what became of them.", mine(func(m *Mine, out *lines) { eachOf(out, m.States) })},
		{"pool_block_height", Gauge, nil, "Height of the newest block that miners work behind.", mine(func(m *Mine, out *lines) { out.positive(float64(m.Height)) })},
		{"pool_template_age_seconds", Gauge, nil, "Age of the newest block template.", func(s *Snapshot, out *lines) {
			if s.Mine != nil {
				out.since(s.At, s.Mine.TemplateAt)
			}
		}},
		{"pool_template_transactions", Gauge, nil, "Transactions in the newest block template.", mine(func(m *Mine, out *lines) {
			if !m.TemplateAt.IsZero() {
				out.value(float64(m.TemplateTxs))
			}
		})},
		{"pool_tips_total", Counter, nil, "New blocks of the network that miners were told of, since the process began.", mine(func(m *Mine, out *lines) { out.value(float64(m.Tips)) })},
		{"pool_first_notify_seconds", Gauge, nil, "From the first sign of the newest block to its work in the first miner's socket.", mine(func(m *Mine, out *lines) { out.span(m.FirstNotify) })},
		{"pool_last_notify_seconds", Gauge, nil, "From the first sign of the newest block to its work in the last miner's socket.", mine(func(m *Mine, out *lines) { out.span(m.LastNotify) })},
		{"pool_job_age_seconds", Histogram, nil, "Ages of the jobs of submitted shares, since the process began.", mine(func(m *Mine, out *lines) { out.histogram(m.JobAge) })},

		{"pool_node_synced", Gauge, nil, "1 while the node has every block that its peers have.", func(s *Snapshot, out *lines) { out.flag(s.Node.Synced) }},
		{"pool_node_height", Gauge, nil, "Blocks that the node has.", func(s *Snapshot, out *lines) { out.answer(s.Node, float64(s.Node.Height)) }},
		{"pool_node_peers", Gauge, nil, "Peers of the node.", func(s *Snapshot, out *lines) { out.answer(s.Node, float64(s.Node.Peers)) }},
		{"pool_node_tip_age_seconds", Gauge, nil, "Age of the node's newest block by its own time.", func(s *Snapshot, out *lines) { out.since(s.At, s.Node.TipAt) }},
		{"pool_node_restarts_total", Counter, nil, "Times that the node was started again, since the pool's process began.", func(s *Snapshot, out *lines) { out.value(float64(s.Node.Restarts)) }},
		{"pool_rpc_duration_seconds", Summary, nil, "How long the node takes to answer; the quantiles are of its newest answers.", func(s *Snapshot, out *lines) { out.summary(s.Node) }},
		{"pool_rpc_failures_total", Counter, nil, "Questions that the node did not answer, since the process began.", func(s *Snapshot, out *lines) { out.value(float64(s.Node.Failed)) }},

		{"pool_owed_sats", Gauge, []string{"kind"}, "What miners have to get: pending is of young blocks, payable is free, reserved is in payouts.", money(func(m *Money, out *lines) { eachOf(out, m.Owed) })},
		{"pool_wallet_sats", Gauge, []string{"kind"}, "What the wallet has: trusted can be spent, immature is of young blocks, pending is unconfirmed.", money(func(m *Money, out *lines) { eachOf(out, m.Wallet) })},
		{"pool_payouts", Gauge, []string{"state"}, "Payouts by state.", money(func(m *Money, out *lines) { eachOf(out, m.Payouts) })},
		{"pool_payouts_frozen", Gauge, nil, "1 while nothing is paid because the books want explaining.", money(func(m *Money, out *lines) { out.flag(m.Frozen) })},

		{"pool_disk_free_bytes", Gauge, nil, "Free space of the disk with the data directory.", machine(func(m *Machine) *float64 { return m.DiskFree })},
		{"pool_disk_size_bytes", Gauge, nil, "Size of the disk with the data directory.", machine(func(m *Machine) *float64 { return m.DiskSize })},
		{"pool_machine_memory_used_bytes", Gauge, nil, "Memory of the machine that programs cannot get any more.", machine(func(m *Machine) *float64 { return m.MemoryUsed })},
		{"pool_machine_busy_ratio", Gauge, nil, "Part of all cores that was busy in the last half minute.", machine(func(m *Machine) *float64 { return m.Busy })},
		{"pool_machine_temperature_celsius", Gauge, nil, "The warmest thermometer of the machine.", machine(func(m *Machine) *float64 { return m.Celsius })},

		{"pool_job_ok", Gauge, []string{"name"}, "1 when the last run of a scheduled job succeeded.", func(s *Snapshot, out *lines) {
			for _, j := range s.Jobs {
				out.flag(j.OK, j.Name)
			}
		}},
		{"pool_job_last_run_timestamp_seconds", Gauge, []string{"name"}, "When a scheduled job last ended.", func(s *Snapshot, out *lines) {
			for _, j := range s.Jobs {
				out.moment(j.At, j.Name)
			}
		}},
		{"pool_backup_last_success_timestamp_seconds", Gauge, nil, "When the newest backup was made that was restored to see that it is whole.", func(s *Snapshot, out *lines) { out.moment(s.Backup) }},
		{"pool_login_failures_total", Counter, nil, "Sign-ins that failed, since the process began.", func(s *Snapshot, out *lines) { out.value(float64(s.LoginFailures)) }},
	}
}

// eachOf writes a line for each key, in order.
func eachOf[N int | int64](out *lines, all map[string]N) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		out.value(float64(all[key]), key)
	}
}

// each is eachOf for figures that are no whole numbers.
func (l *lines) each(all map[string]float64) {
	for _, key := range slices.Sorted(maps.Keys(all)) {
		l.value(all[key], key)
	}
}

// moment writes a time, if there is one.
func (l *lines) moment(t time.Time, labels ...string) { l.known(unix(t), labels...) }

// since writes how long ago something was, if it was.
func (l *lines) since(now, then time.Time) {
	if !then.IsZero() {
		l.value(max(0, now.Sub(then)).Seconds())
	}
}

func (l *lines) span(d *time.Duration) {
	if d != nil {
		l.value(d.Seconds())
	}
}

func (l *lines) flag(on bool, labels ...string) {
	v := 0.0
	if on {
		v = 1
	}
	l.value(v, labels...)
}

// positive writes a figure of which zero means that it is not known.
func (l *lines) positive(v float64) {
	if v > 0 {
		l.value(v)
	}
}

// answer writes a figure that the node has told.
func (l *lines) answer(n Node, v float64) {
	if n.Asked {
		l.value(v)
	}
}
