package webui

import (
	"strings"
	"testing"
	"time"
)

// A line ends at the right edge, is broken where nothing is known, and knows its
// lowest and highest.
func TestMeter(t *testing.T) {
	v := func(f float64) *float64 { return &f }
	m := newMeter("cpu", inPercent, nil, []*float64{v(0.5), v(1), nil, v(0.25)}, sparkPoints)
	if want := "M233.9 26.0L236.0 4.0M240.0 37.0"; m.Line != want {
		t.Errorf("line %q, want %q", m.Line, want)
	}
	if *m.Low != 0.25 || *m.High != 1 || *m.Now != 0.25 {
		t.Errorf("%v %v %v", *m.Low, *m.High, *m.Now)
	}
	if m := newMeter("cpu", inPercent, nil, []*float64{nil, nil}, sparkPoints); m.Line != "" || m.Low != nil || m.Now != nil {
		t.Errorf("a line of nothing: %+v", m)
	}
	if m := newMeter("cpu", inPercent, nil, []*float64{v(0)}, sparkPoints); !strings.HasSuffix(m.Line, "240.0 48.0") {
		t.Errorf("zero is not at the bottom: %q", m.Line)
	}
	long := make([]*float64, sampleSlots)
	for i := range long {
		long[i] = v(float64(i))
	}
	if m := newMeter("cpu", inCount, nil, long, sampleSlots); strings.Count(m.Line, "L") != sparkPoints-1 || !strings.HasPrefix(m.Line, "M0.0 ") {
		t.Errorf("six hours are %d points", strings.Count(m.Line, "L")+1)
	}
}

// What is drawn is there in figures, too: means in a table below each drawing, and
// every sample in a file, where nothing stands for what is not known.
func TestMonitoringInFigures(t *testing.T) {
	w := open(t, newGolden())
	w.box.monitoring = measured()
	w.signIn()
	page := w.get("/monitoring").body
	checkPage(t, page)
	drawings, tables := strings.Count(page, "<svg class=\"spark\""), strings.Count(page, "<details id=\"m-")
	if drawings != 10 || tables != drawings {
		t.Errorf("%d drawings, %d tables", drawings, tables)
	}
	rows := measured().tabulated().Machine[0].Rows
	if len(rows) != 11 || rows[0].Mean == nil || !rows[1].From.Equal(rows[0].From.Add(30*time.Minute)) {
		t.Errorf("%d rows", len(rows))
	}
	file := w.get("/monitoring.csv")
	lines := strings.Split(strings.TrimSpace(file.body), "\r\n")
	if len(lines) != 641 || !strings.HasPrefix(lines[0], "time,cpu_part,memory_bytes,disk_bytes,received_bytes_per_second,") {
		t.Fatalf("%d lines, %s", len(lines), lines[0])
	}
	if _, gap, _ := strings.Cut(lines[321], ","); strings.Trim(gap, ",") != "" || strings.Count(gap, ",") != 10 {
		t.Errorf("what is not known is %q", gap)
	}
}

func TestMeasure(t *testing.T) {
	for unit, want := range map[string]string{
		inPercent: "0.12 %", inBytes: "0.0012 B", inFlow: "0.0012 B/s", inShares: "0.0012 per second", inSeconds: "1.20 ms", inCelsius: "0.0012 °C", inCount: "0",
	} {
		if got := plain(inEnglish.measure(unit, new(0.0012))); got != want {
			t.Errorf("%s: %q, want %q", unit, got, want)
		}
		if got := plain(inEnglish.measure(unit, nil)); got != "no data" {
			t.Errorf("%s: unknown is %q", unit, got)
		}
	}
	if got := plain(inEnglish.measure(inBytes, new(312e9))); got != "312 GB" {
		t.Errorf("%q", got)
	}
}
