package webui

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// chartSpan is a length of time that charts are drawn for, in steps in which
// chance does not look like a change.
type chartSpan struct {
	Name         string // as in the URL
	Length, Step time.Duration
}

// chartSpans are all of them, the first being what a page begins with.
func chartSpans() []chartSpan {
	const day = 24 * time.Hour
	return []chartSpan{
		{"24h", day, 10 * time.Minute},
		{"7d", 7 * day, time.Hour},
		{"30d", 30 * day, 6 * time.Hour},
	}
}

// spanNamed is the span with a name, or the first.
func spanNamed(name string) chartSpan {
	all := chartSpans()
	for _, s := range all {
		if s.Name == name {
			return s
		}
	}
	return all[0]
}

// chartRange is the name of the span in the URL.
func chartRange(r *http.Request) string { return spanNamed(r.URL.Query().Get("range")).Name }

// series reads the hash rates of a span of time, in steps.
type series func(ctx context.Context, from, to time.Time, step time.Duration) ([]point, error)

// seriesOf is the series of an address, or of the pool.
func (s *site) seriesOf(address string) series {
	return func(ctx context.Context, from, to time.Time, step time.Duration) ([]point, error) {
		return s.box.Hashrates(ctx, address, from, to, step)
	}
}

// hashrateChart is chart for an address, or for the pool.
func (s *site) hashrateChart(r *http.Request, address, rng string) (*chart, error) {
	table := "/hashrate.csv"
	if address != "" {
		table = "/observer/" + url.PathEscape(address) + table
	}
	return s.chart(r.Context(), s.seriesOf(address), rng, table)
}

// chart draws a series; table is where it is to be had as CSV.
func (s *site) chart(ctx context.Context, read series, rng, table string) (*chart, error) {
	span := spanNamed(rng)
	points, err := s.points(ctx, read, span)
	if err != nil {
		return nil, err
	}
	c := newChart("chart", points, span.Step)
	c.Table = table + "?range=" + span.Name
	return c, nil
}

// points reads a series. The slot that is not over yet is left out, since it
// would look like a drop.
func (s *site) points(ctx context.Context, read series, span chartSpan) ([]point, error) {
	to := s.now().UTC().Truncate(span.Step)
	return read(ctx, to.Add(-span.Length), to, span.Step)
}

// sendSeries sends a series as CSV: when a step began, how long it is, and the mean
// hash rate in it, empty where the pool was not running.
func (s *site) sendSeries(w http.ResponseWriter, r *http.Request, read series, name string) error {
	span := spanNamed(r.URL.Query().Get("range"))
	points, err := s.points(r.Context(), read, span)
	if err != nil {
		return err
	}
	out := beginCSV(w, "dmpool-"+name+"-"+span.Name+".csv", []string{"time", "seconds", "hashrate_hs"})
	for _, p := range points {
		rate := ""
		if known(p.HS) {
			rate = strconv.FormatFloat(*p.HS, 'f', 0, 64)
		}
		_ = out.Write([]string{p.At.UTC().Format(time.RFC3339), strconv.Itoa(int(span.Step / time.Second)), rate})
	}
	out.Flush()
	return gone(out.Error())
}

// poolSeries is the hash rate of the pool as CSV.
func (s *site) poolSeries(w http.ResponseWriter, r *http.Request, _ caller) error {
	return s.sendSeries(w, r, s.seriesOf(""), "hashrate")
}

// observerSeries is the hash rate of an address as CSV.
func (s *site) observerSeries(w http.ResponseWriter, r *http.Request, _ caller) error {
	address, err := s.addressOf(r)
	if err != nil {
		return err
	}
	return s.sendSeries(w, r, s.seriesOf(address), "hashrate-"+address)
}
