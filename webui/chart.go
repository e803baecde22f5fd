package webui

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// point is one slot of a hash-rate series. HS is nil when the pool was not
// running: that is a gap, while 0 means that nobody mined.
type point struct {
	At time.Time // start of the slot
	HS *float64
}

// chart is a hash-rate line, drawn on the server as SVG. The drawing is
// stretched to the room that it gets; the labels are HTML beside it and keep
// their size on a phone. part_chart.html puts the pieces together.
type chart struct {
	ID       string
	Span     time.Duration
	Range    string // name of the span, which chooses its words
	Table    string // where it is to be had as CSV; empty: nowhere
	Line     string // SVG path data, in a box of chartWidth × chartHeight
	Area     string
	Gaps     []gap
	Average  float64 // y of the dashed line
	Y        []string
	YLines   []float64
	X        []tick
	Mean     *float64
	Low      *float64
	High     *float64
	LowAt    time.Time
	HighAt   time.Time
	Missing  time.Duration
	Rows     []row
	RowStep  time.Duration
	HasValue bool
}

// gap is a stretch without data, as x and width in the drawing.
type gap struct{ X, Width float64 }

// tick is a label below the chart. Show is how the script writes it in the
// reader's own zone, Text how it stands without.
type tick struct {
	At   time.Time
	Show string
}

// row is a line of the table that says the same in figures.
type row struct {
	From time.Time
	HS   *float64
}

const chartWidth, chartHeight = 720, 200

// newChart draws points, which are in order and step apart. The slot that is
// not over yet must not be among them.
func newChart(id string, points []point, step time.Duration) *chart {
	c := &chart{ID: id, Span: time.Duration(len(points)) * step}
	c.Range = rangeOf(c.Span)
	if len(points) == 0 {
		return c
	}
	c.summarize(points, step)
	top := c.scale()
	c.draw(points, top)
	c.label(points)
	c.tabulate(points, step)
	return c
}

// summarize finds what the sentence below the chart says.
func (c *chart) summarize(points []point, step time.Duration) {
	sum, count := 0.0, 0
	for _, p := range points {
		if !known(p.HS) {
			c.Missing += step
			continue
		}
		sum += *p.HS
		count++
		if c.Low == nil || *p.HS < *c.Low {
			c.Low, c.LowAt = p.HS, p.At
		}
		if c.High == nil || *p.HS > *c.High {
			c.High, c.HighAt = p.HS, p.At
		}
	}
	if count > 0 {
		c.Mean = new(sum / float64(count))
		c.HasValue = true
	}
}

// scale chooses round numbers for the y axis, which begins at 0, and returns
// its top.
func (c *chart) scale() float64 {
	peak := 1.0
	if c.High != nil && *c.High > 0 {
		peak = *c.High
	}
	unit := math.Pow10(int(math.Floor(math.Log10(peak))))
	step := unit
	for _, f := range []float64{0.25, 0.5, 1, 2, 2.5, 5} {
		if step = f * unit; peak/step <= 4 {
			break
		}
	}
	lines := int(math.Ceil(peak/step - 1e-9))
	top := float64(lines) * step
	for i := lines; i >= 0; i-- {
		c.Y = append(c.Y, yLabel(float64(i)*step))
		c.YLines = append(c.YLines, round1(chartHeight*(1-float64(i)/float64(lines))))
	}
	return top
}

func yLabel(v float64) string {
	if v == 0 {
		return "0"
	}
	return hashrate(v)
}

// draw makes the path, one stroke per run of known slots.
func (c *chart) draw(points []point, top float64) {
	slot := chartWidth / float64(len(points))
	at := func(i int) (x, y float64) {
		return round1((float64(i) + 0.5) * slot), round1(chartHeight * (1 - *points[i].HS/top))
	}
	var line, area strings.Builder
	for i := 0; i < len(points); {
		start, have := i, known(points[i].HS)
		for i < len(points) && known(points[i].HS) == have {
			i++
		}
		if !have {
			c.Gaps = append(c.Gaps, gap{X: round1(float64(start) * slot), Width: round1(float64(i-start) * slot)})
			continue
		}
		first, _ := at(start)
		last, _ := at(i - 1)
		fmt.Fprintf(&area, "M%g %d", first, chartHeight)
		for k := start; k < i; k++ {
			x, y := at(k)
			command := "L"
			if k == start {
				command = "M"
			}
			fmt.Fprintf(&line, "%s%g %g", command, x, y)
			fmt.Fprintf(&area, "L%g %g", x, y)
		}
		if start == i-1 {
			line.WriteString("h0.1") // a lone slot is a dot
		}
		fmt.Fprintf(&area, "L%g %dZ", last, chartHeight)
	}
	c.Line, c.Area = line.String(), area.String()
	if c.Mean != nil {
		c.Average = round1(chartHeight * (1 - *c.Mean/top))
	}
}

// rangeOf is the name of the chartSpan that comes closest to a time.
func rangeOf(d time.Duration) string {
	switch {
	case d <= 48*time.Hour:
		return "24h"
	case d <= 14*24*time.Hour:
		return "7d"
	}
	return "30d"
}

// label spreads the x labels evenly from the first to the last moment.
func (c *chart) label(points []point) {
	begin := points[0].At
	parts, show := 4, "hour"
	switch c.Range {
	case "7d":
		parts, show = 7, "weekday"
	case "30d":
		parts, show = 6, "date"
	}
	for i := range parts + 1 {
		at := begin.Add(c.Span * time.Duration(i) / time.Duration(parts))
		c.X = append(c.X, tick{At: at, Show: show})
	}
}

// maxRows bounds the table below a chart: it is to be read, not scrolled.
const maxRows = 28

// rowOf is how many points make a row, so that rows are of a length that people
// count in.
func rowOf(points int, step time.Duration) int {
	const hour = time.Hour
	for _, row := range []time.Duration{step, 30 * time.Minute, hour, 2 * hour, 3 * hour, 6 * hour, 12 * hour, 24 * hour, 48 * hour} {
		per := int(row / step)
		if row%step == 0 && per > 0 && (points+per-1)/per <= maxRows {
			return per
		}
	}
	return (points + maxRows - 1) / maxRows
}

// tabulate gathers the points into rows, the mean of each.
func (c *chart) tabulate(points []point, step time.Duration) {
	per := rowOf(len(points), step)
	c.RowStep = time.Duration(per) * step
	for i := 0; i < len(points); i += per {
		sum, count := 0.0, 0
		for _, p := range points[i:min(i+per, len(points))] {
			if known(p.HS) {
				sum += *p.HS
				count++
			}
		}
		r := row{From: points[i].At}
		if count > 0 {
			r.HS = new(sum / float64(count))
		}
		c.Rows = append(c.Rows, r)
	}
}

func round1(v float64) float64 { return math.Round(v*10) / 10 }
