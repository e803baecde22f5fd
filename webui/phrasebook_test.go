package webui

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What the floors below say in English is known again by its format.
func TestSay(t *testing.T) {
	book, err := newPhrasebook(map[string]string{
		"The node is at block %d.":        "节点位于区块 %d。",
		"Miners get no new work: %s.":     "矿机没有新任务：%s。",
		"the node is %d blocks behind %s": "节点落后 %[2]s %[1]d 个区块",
		"the node has moved on":           "节点已经前进",
		"100 %% done":                     "完成 100 %%",
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &words{Lang: chinese, phrases: book}
	for said, want := range map[string]string{
		"":                             "",
		"The node is at block 123456.": "节点位于区块 123,456。",
		"Miners get no new work: the node is 3 blocks behind <x>.": "矿机没有新任务：节点落后 &lt;x&gt; 3 个区块。",
		"Miners get no new work: the node has moved on.":           "矿机没有新任务：节点已经前进。",
		"The node has moved on.":                                   "节点已经前进。",
		"the node has moved on":                                    "节点已经前进",
		"100 % done":                                               "完成 100 %",
		"The node is at block 1. Unknown <.":                       `节点位于区块 1。<span lang="en">Unknown &lt;.</span>`,
		"Unknown. The node is at block 1.":                         `<span lang="en">Unknown.</span> 节点位于区块 1。`,
	} {
		if got := string(w.say(said)); got != want {
			t.Errorf("say(%q) = %q, want %q", said, got, want)
		}
	}
	for said, want := range map[string]string{
		"a < b":                             "a &lt; b",
		"Below the minimum of 100000 sats.": "Below the minimum of 100,000 sats.",
		"Send 1000 sat, or 21 sat, at 12345 sat/vB.":       "Send 1,000 sats, or 21 sat, at 12345 sat/vB.",
		"It is at block 402000 of 925001, port 18332.":     "It is at block 402,000 of 925,001, port 18332.",
		"the node's block 00000000000000000001 is unknown": "the node&#39;s block 00000000000000000001 is unknown",
	} {
		if got := string(inEnglish.say(said)); got != want {
			t.Errorf("English: say(%q) = %q, want %q", said, got, want)
		}
	}
}

// Each sentence of the catalogue is still said somewhere, with the same values.
// Some are put together, so their parts between the values are looked for.
func TestSentencesAreSaid(t *testing.T) {
	raw, err := fs.ReadFile(localeFS, "locales/"+chinese+"/"+sentencesFile)
	if err != nil {
		t.Fatal(err)
	}
	code := strings.ToLower(belowSources(t))
	for _, format := range formatsIn(t, raw) {
		for _, part := range verb.Split(format, -1) {
			part = strings.ToLower(strings.Trim(part, " .:"))
			if len(part) > 3 && !strings.Contains(code, strings.ReplaceAll(part, `"`, `\"`)) {
				t.Errorf("nobody says %q any more: %q", format, part)
			}
		}
	}
}

func belowSources(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, root := range []string{"../pool", "../appliance", "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			raw, err := os.ReadFile(path)
			all.Write(raw)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// A sentence may be broken over lines of code.
	return regexp.MustCompile(`"\s*\+\s*"`).ReplaceAllString(all.String(), "")
}

func formatsIn(t *testing.T, raw []byte) []string {
	t.Helper()
	said := map[string]string{}
	if err := json.Unmarshal(raw, &said); err != nil {
		t.Fatal(err)
	}
	for format, means := range said {
		if want, got := len(verb.FindAllString(format, -1)), len(slot.FindAllString(means, -1)); want != got {
			t.Errorf("%q has %d values, its translation %d", format, want, got)
		}
	}
	return slices.Sorted(maps.Keys(said))
}
