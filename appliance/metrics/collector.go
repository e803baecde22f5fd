package metrics

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

const (
	// MaxWorkers is how many workers, and how many addresses, are told one by one.
	MaxWorkers = 500
	// MaxBlocks is how many blocks are.
	MaxBlocks = 100

	recently = 7 * 24 * time.Hour // a worker that was silent for longer is not told
)

// NewRegistry returns what answers a scrape: the figures of the snapshot that ask
// returns then, and those of the process itself.
func NewRegistry(ask func() (Snapshot, error)) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(newCollector(ask), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// collector implements [prometheus.Collector].
type collector struct {
	ask      func() (Snapshot, error)
	families []Family
	descs    []*prometheus.Desc // of the families
}

func newCollector(ask func() (Snapshot, error)) *collector {
	c := &collector{ask: ask, families: Families()}
	for _, f := range c.families {
		c.descs = append(c.descs, prometheus.NewDesc(f.Name, f.Help, f.Labels, nil))
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, desc := range c.descs {
		to <- desc
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(to chan<- prometheus.Metric) {
	s, err := c.ask()
	if err != nil {
		to <- prometheus.NewInvalidMetric(c.descs[0], err)
		return
	}
	chosen := newChoice(&s)
	for i, f := range c.families {
		f.read(&s, &lines{choice: chosen, kind: f.Kind, to: to, desc: c.descs[i], told: map[string]bool{}})
	}
}

// choice is who is told one by one.
type choice struct {
	workers  []Worker
	accounts []Worker // without names
	leftOut  int      // workers
}

// newChoice takes those who did most lately. It cuts addresses where they are not to be
// told, and the blocks to the newest.
func newChoice(s *Snapshot) choice {
	var c choice
	place := map[string]int{}
	for _, w := range s.Workers {
		i, known := place[w.Address]
		if !known {
			i = len(c.accounts)
			place[w.Address] = i
			c.accounts = append(c.accounts, Worker{Address: w.Address})
		}
		a := &c.accounts[i]
		a.Work, a.Week = a.Work+w.Work, a.Week+w.Week
		if w.LastShare.After(a.LastShare) {
			a.LastShare = w.LastShare
		}
	}
	c.accounts, _ = most(c.accounts, s.At)
	c.workers, c.leftOut = most(slices.Clone(s.Workers), s.At)
	if s.Short {
		for _, list := range [][]Worker{c.workers, c.accounts} {
			for i := range list {
				list[i].Address = short(list[i].Address)
			}
		}
	}
	if s.Mine == nil {
		return c
	}
	pool := *s.Mine
	pool.Blocks = pool.Blocks[:min(len(pool.Blocks), MaxBlocks)]
	if s.Short {
		pool.Coinbase = slices.Clone(pool.Coinbase)
		for i := range pool.Coinbase {
			pool.Coinbase[i].Address = short(pool.Coinbase[i].Address)
		}
	}
	s.Mine = &pool
	return c
}

// most sorts out who was silent for long, and keeps those who did most of the rest.
func most(list []Worker, now time.Time) (kept []Worker, leftOut int) {
	list = slices.DeleteFunc(list, func(w Worker) bool { return now.Sub(w.LastShare) > recently })
	slices.SortStableFunc(list, func(a, b Worker) int { return cmp.Compare(b.Week, a.Week) })
	leftOut = max(0, len(list)-MaxWorkers)
	return list[:len(list)-leftOut], leftOut
}

// short is an address by its ends.
func short(address string) string {
	const end = 8
	if len(address) <= 2*end {
		return address
	}
	return address[:end] + "…" + address[len(address)-end:]
}

// lines is where a family writes its figures.
type lines struct {
	choice
	kind Kind
	to   chan<- prometheus.Metric
	desc *prometheus.Desc
	told map[string]bool // labels that have their line
}

// value writes a line. Of two with the same labels the first one stays: a name that a
// stranger makes up must not spoil the answer for all.
func (l *lines) value(v float64, labels ...string) {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "�")
	}
	key := strings.Join(labels, "\xff") // which is in no UTF-8
	if l.told[key] {
		return
	}
	l.told[key] = true
	kind := prometheus.GaugeValue
	if l.kind == Counter {
		kind = prometheus.CounterValue
	}
	l.send(prometheus.NewConstMetric(l.desc, kind, v, labels...))
}

// known writes a figure unless it is not known.
func (l *lines) known(v *float64, labels ...string) {
	if v != nil {
		l.value(*v, labels...)
	}
}

func (l *lines) histogram(a Ages) {
	buckets, sum := map[float64]uint64{}, uint64(0)
	for i, n := range a.Counts {
		sum += n
		if i < len(a.Bounds) {
			buckets[a.Bounds[i].Seconds()] = sum
		}
	}
	l.send(prometheus.NewConstHistogram(l.desc, sum, a.Sum.Seconds(), buckets))
}

func (l *lines) summary(n Node) {
	quantiles := map[float64]float64{}
	if n.Median > 0 {
		quantiles[0.5], quantiles[0.99] = n.Median.Seconds(), n.P99.Seconds()
	}
	l.send(prometheus.NewConstSummary(l.desc, n.Calls, n.Waited.Seconds(), quantiles))
}

func (l *lines) send(m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(l.desc, errors.Join(errors.New("write "+l.desc.String()), err))
	}
	l.to <- m
}
