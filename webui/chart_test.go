package webui

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	qrcode "github.com/skip2/go-qrcode"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// compareGolden holds got against testdata/name.
func compareGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s differs (-want +got); -update writes it anew:\n%s", name, diff)
	}
}

// part renders one template of the parts.
func part(t *testing.T, name string, data any) []byte {
	t.Helper()
	s := mustSite(t, newGolden())
	var buf bytes.Buffer
	if err := s.pages[english]["find"].tmpl.ExecuteTemplate(&buf, name, data); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func slots(values ...any) []point {
	var points []point
	for i, v := range values {
		p := point{At: noon.Truncate(time.Hour).Add(time.Duration(i) * 10 * time.Minute)}
		if f, ok := v.(float64); ok {
			p.HS = &f
		}
		points = append(points, p)
	}
	return points
}

func TestChartGolden(t *testing.T) {
	for name, points := range map[string][]point{
		"chart-gaps.html":    slots(nil, 1.2e12, 1.1e12, nil, nil, 0.9e12, nil, 0.0, 1.31e12, 1.3e12, nil, nil),
		"chart-empty.html":   slots(nil, nil, nil),
		"chart-nobody.html":  slots(0.0, 0.0, 0.0),
		"chart-no-slot.html": nil,
	} {
		t.Run(name, func(t *testing.T) {
			html := part(t, "chart", newChart("chart", points, 10*time.Minute))
			parseHTML(t, string(html))
			compareGolden(t, name, html)
		})
	}
}

// Every known slot is drawn inside the box, every unknown one is a gap, and
// the scale is round and not far above the peak.
func TestChartProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1, 1e21), 1, 200).Draw(t, "values")
		var points []point
		unknown := 0
		for i, v := range values {
			p := point{At: noon.Add(time.Duration(i) * time.Hour)}
			if v >= 0 {
				p.HS = &v
			} else {
				unknown++
			}
			points = append(points, p)
		}
		c := newChart("c", points, time.Hour)
		if c.Missing != time.Duration(unknown)*time.Hour {
			t.Fatalf("missing %v, want %d h", c.Missing, unknown)
		}
		if strings.Count(c.Line, "M") != strings.Count(c.Area, "M") || strings.ContainsAny(c.Line, "-eN") {
			t.Fatalf("line %q, area %q", c.Line, c.Area)
		}
		if n := strings.Count(c.Line, "M") + strings.Count(c.Line, "L"); n != len(values)-unknown {
			t.Fatalf("%d points drawn of %d", n, len(values)-unknown)
		}
		if len(c.Rows) > 28 || len(c.Y) < 2 || len(c.Y) > 6 || c.Y[len(c.Y)-1] != "0" {
			t.Fatalf("%d rows, y %v", len(c.Rows), c.Y)
		}
	})
}

func TestQRGolden(t *testing.T) {
	code, err := paymentQR(aliceAddress)
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "qr.html", part(t, "qr", code))
	if !strings.HasPrefix(code.Text, "BITCOIN:TB1QW508") {
		t.Errorf("code holds %q, want upper case", code.Text)
	}
	legacy, err := paymentQR("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2")
	if err != nil || legacy.Text != "bitcoin:1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2" {
		t.Errorf("base58 code = %q, %v", legacy.Text, err)
	}
}

// The path paints exactly the dark modules, with four light ones around.
func TestQRPathIsTheBitmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[ -~]{1,120}`).Draw(t, "text")
		got, err := qrOf(text)
		if err != nil {
			t.Fatal(err)
		}
		code, err := qrcode.New(text, qrcode.Medium)
		if err != nil {
			t.Fatal(err)
		}
		want := code.Bitmap()
		painted := paint(t, got)
		for y := range want {
			for x := range want[y] {
				if painted[y][x] != want[y][x] {
					t.Fatalf("module %d,%d is %v, want %v", x, y, painted[y][x], want[y][x])
				}
				edge := min(x, y, got.Size-1-x, got.Size-1-y)
				if edge < 4 && painted[y][x] {
					t.Fatalf("quiet zone is dark at %d,%d", x, y)
				}
			}
		}
	})
}

// paint executes the path of a code: "Mx yhNv1h-Nz" for each run of modules.
func paint(t *rapid.T, code qr) [][]bool {
	modules := make([][]bool, code.Size)
	for y := range modules {
		modules[y] = make([]bool, code.Size)
	}
	for run := range strings.SplitSeq(strings.TrimSuffix(code.Path, "z"), "z") {
		var x, y, width, back int
		if _, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &width, &back); err != nil || width != back {
			t.Fatalf("path has %q: %v", run, err)
		}
		for i := range width {
			modules[y][x+i] = true
		}
	}
	return modules
}
