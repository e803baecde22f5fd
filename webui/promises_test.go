package webui

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// promise is one thing that the earlier project of this name promised: a route, a
// page, a key, a limit. It is kept by a route, or it has its line in the README.
type promise struct{ section, what, kind, where string }

func readPromises(t *testing.T) (list []promise) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "promises.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 4 || !slices.Contains([]string{"2.1", "2.2", "2.3", "2.4", "2.5", "2.6"}, f[0]) {
			t.Fatalf("not understood: %q", line)
		}
		list = append(list, promise{f[0], f[1], f[2], f[3]})
	}
	return list
}

// readmeSection is what the README has below a heading, up to the next one of the
// same rank or higher.
func readmeSection(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n"+heading+"\n")
	if !ok {
		t.Fatalf("the README has no heading %q", heading)
	}
	rank := heading[:strings.Index(heading, " ")+1]
	section, _, _ = strings.Cut(section, "\n"+rank)
	section, _, _ = strings.Cut(section, "\n"+rank[1:])
	return section
}

// No promise gets lost: what is kept answers, and what was replaced, or is not
// there yet, says so.
func TestPromises(t *testing.T) {
	replaced := readmeSection(t, "## For users of the earlier project")
	_, missing, _ := strings.Cut(replaced, "### Not there yet")
	w := open(t, newGolden())
	w.signIn()
	routes := map[string]bool{}
	for _, rt := range w.site.routes() {
		routes[rt.pattern] = true
	}
	for _, p := range readPromises(t) {
		switch p.kind {
		case "route":
			w.clock.add(60e9)
			method, path := fillIn(p.where)
			if !routes[p.where] {
				t.Errorf("%s, %s: there is no route %s", p.section, p.what, p.where)
			} else if method == http.MethodGet {
				if resp := w.get(path); resp.StatusCode != http.StatusOK && path != "/login" {
					t.Errorf("%s, %s: status %d", p.section, p.what, resp.StatusCode)
				}
			}
		case "readme":
			if !strings.Contains(replaced, "`"+p.where+"`") {
				t.Errorf("%s, %s: the README does not say what replaces `%s`", p.section, p.what, p.where)
			}
		case "later":
			if !strings.Contains(missing, "`"+p.where+"`") {
				t.Errorf("%s, %s: the README does not say that `%s` is not there yet", p.section, p.what, p.where)
			}
		default:
			t.Errorf("%s, %s: kind %q", p.section, p.what, p.kind)
		}
	}
}
