package webui

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// monitoringView fills templates/monitoring.html.
type monitoringView struct {
	Started  time.Time
	Times    []time.Time // of the samples, oldest first
	Machine  []meter
	Miners   []meter
	Node     []meter
	Calls    int64 // to the node
	Failed   int64
	Template time.Time
	Parts    []partSize
	Disk     *float64 // bytes in all
	Free     *float64
}

// partSize is what a part of the data directory takes.
type partSize struct {
	Name, Path string
	Bytes      *float64
}

// meter is one measured figure with its line of the last hours. Name chooses its
// words, Unit how it is written.
type meter struct {
	Name, Unit string
	Now, Of    *float64 // Of is all that there is, such as the memory of the machine
	Low, High  *float64
	Line, Area string     // SVG path data, in a box of sparkWidth × sparkHeight
	Values     []*float64 // one for each of the view's times
	Rows       []meterRow
}

// meterRow is a line of the table that says the same as the drawing: the mean from a
// moment on.
type meterRow struct {
	From time.Time
	Mean *float64
}

// The ways to write a measured figure.
const (
	inPercent = "percent"
	inBytes   = "bytes"
	inFlow    = "flow" // bytes per second
	inCount   = "count"
	inShares  = "shares" // per second
	inSeconds = "seconds"
	inCelsius = "celsius"
	inWatts   = "watts"
	inPerTH   = "j_th" // joules per terahash
	inKWh     = "kwh"
)

const (
	sparkWidth, sparkHeight = 240, 48
	sparkPoints             = 120
)

// newMeter draws values, oldest first, of which slots fit into the drawing. Several
// values become one point by their mean; what is not known leaves the line open. The
// line stands on zero, so that a small change looks small.
func newMeter(name, unit string, of *float64, values []*float64, slots int) meter {
	m := meter{Name: name, Unit: unit, Of: of, Values: values}
	if len(values) > 0 {
		m.Now = values[len(values)-1]
	}
	each := max(1, slots/sparkPoints)
	var points []*float64
	for end := len(values); end > 0; end -= each { // from the newest back, so that points do not move
		points = append(points, mean(values[max(0, end-each):end]))
	}
	top := 0.0
	for _, p := range points {
		if known(p) {
			top = max(top, *p)
			m.Low, m.High = lower(m.Low, p), higher(m.High, p)
		}
	}
	if of != nil && unit == inBytes {
		top = *of
	}
	if top == 0 {
		top = 1
	}
	m.draw(points, top)
	return m
}

// draw writes the paths of points, newest first, which end at the right edge.
func (m *meter) draw(points []*float64, top float64) {
	var line, area strings.Builder
	step := float64(sparkWidth) / (sparkPoints - 1)
	start := -1.0
	last := 0.0
	end := func() {
		if start >= 0 {
			fmt.Fprintf(&area, "L%.1f %dL%.1f %dZ", last, sparkHeight, start, sparkHeight)
			start = -1
		}
	}
	for i := len(points) - 1; i >= 0; i-- {
		if !known(points[i]) {
			end()
			continue
		}
		x, y := sparkWidth-float64(i)*step, sparkHeight-*points[i]/top*(sparkHeight-4)
		letter := "L"
		if start < 0 {
			letter, start = "M", x
		}
		fmt.Fprintf(&line, "%s%.1f %.1f", letter, x, y)
		fmt.Fprintf(&area, "%s%.1f %.1f", letter, x, y)
		last = x
	}
	end()
	m.Line, m.Area = line.String(), area.String()
}

func mean(values []*float64) *float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if known(v) {
			sum += *v
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return new(sum / float64(n))
}

func lower(a, b *float64) *float64 {
	if a == nil || *b < *a {
		return b
	}
	return a
}

func higher(a, b *float64) *float64 {
	if a == nil || *b > *a {
		return b
	}
	return a
}

// measure writes a figure in its unit.
func (w *words) measure(unit string, v *float64) template.HTML {
	if !known(v) {
		return w.nothing()
	}
	with := func(digits, unit string) template.HTML {
		return template.HTML(digits + `<span class="unit"> ` + unit + `</span>`)
	}
	switch digits, prefix := scaled(*v); unit {
	case inPercent:
		return w.percent(v)
	case inBytes:
		return with(digits, prefix+"B")
	case inFlow:
		return with(digits, prefix+"B/s")
	case inShares:
		return with(significant(*v), w.must("monitoring.per_second"))
	case inSeconds:
		return with(significant(*v*1000), "ms")
	case inCelsius:
		return with(significant(*v), "°C")
	case inWatts:
		return with(digits, prefix+"W")
	case inPerTH:
		return with(significant(*v), "J/TH")
	case inKWh:
		return with(significant(*v), "kWh")
	}
	return template.HTML(number(int64(*v)))
}

// all are the meters of the page in its order, and in that of the columns of the file.
func (v *monitoringView) all() (list []*meter) {
	for _, part := range [][]meter{v.Machine, v.Miners, v.Node} {
		for i := range part {
			list = append(list, &part[i])
		}
	}
	return list
}

// rowOfSamples is how many samples make a row of a table: half an hour of them.
const rowOfSamples = 60

// tabulated is the view with a table for each meter; what the box told stays as it is.
func (v monitoringView) tabulated() monitoringView {
	v.Machine, v.Miners, v.Node = slices.Clone(v.Machine), slices.Clone(v.Miners), slices.Clone(v.Node)
	for _, m := range v.all() {
		for i := 0; i < min(len(m.Values), len(v.Times)); i += rowOfSamples {
			m.Rows = append(m.Rows, meterRow{v.Times[i], mean(m.Values[i:min(i+rowOfSamples, len(m.Values))])})
		}
	}
	return v
}

func (s *site) monitoring(r *http.Request, _ caller) (any, error) {
	v, err := s.box.Monitoring(r.Context())
	return v.tabulated(), err
}

// monitoringCSV sends what the meters were made of: a row for each sample, with the
// unit in the name of the column, empty where nothing is known.
func (s *site) monitoringCSV(w http.ResponseWriter, r *http.Request, _ caller) error {
	v, err := s.box.Monitoring(r.Context())
	if err != nil {
		return err
	}
	head := []string{"time"}
	for _, m := range v.all() {
		head = append(head, m.Name+"_"+columnUnit(m.Unit))
	}
	out := beginCSV(w, "dmpool-monitoring.csv", head)
	for i, at := range v.Times {
		row := []string{at.UTC().Format(time.RFC3339)}
		for _, m := range v.all() {
			cell := ""
			if i < len(m.Values) && known(m.Values[i]) {
				cell = strconv.FormatFloat(*m.Values[i], 'g', 6, 64)
			}
			row = append(row, cell)
		}
		_ = out.Write(row)
	}
	out.Flush()
	return gone(out.Error())
}

func columnUnit(unit string) string {
	switch unit {
	case inPercent:
		return "part"
	case inFlow:
		return "bytes_per_second"
	case inShares:
		return "per_second"
	}
	return unit
}
