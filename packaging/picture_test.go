//go:build nspawn

package packaging

import (
	"bytes"
	"cmp"
	"context"
	"image"
	"image/color"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// picture writes what the browser shows as DMPOOL_SCREENSHOTS/NAME.png, small enough
// for a README. Without that variable it does nothing.
func picture(t *testing.T, tab context.Context, name string) {
	t.Helper()
	dir := os.Getenv("DMPOOL_SCREENSHOTS")
	if dir == "" {
		return
	}
	var shot []byte
	browse(t, tab, "take a picture", chromedp.CaptureScreenshot(&shot))
	full, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, fewColours(full)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// fewColours paints an image with the 256 colours that most of it has. Pages are made
// of few; those that are replaced stand in the edges of letters.
func fewColours(full image.Image) *image.Paletted {
	area := full.Bounds()
	count := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA { return color.RGBAModel.Convert(full.At(x, y)).(color.RGBA) }
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			count[at(x, y)]++
		}
	}
	palette := color.Palette{}
	most := slices.SortedFunc(maps.Keys(count), func(a, b color.RGBA) int { return cmp.Compare(count[b], count[a]) })
	for _, c := range most[:min(256, len(most))] {
		palette = append(palette, c)
	}
	nearest := make(map[color.RGBA]uint8, len(count))
	for c := range count {
		nearest[c] = uint8(palette.Index(c))
	}
	painted := image.NewPaletted(area, palette)
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			painted.SetColorIndex(x, y, nearest[at(x, y)])
		}
	}
	return painted
}
