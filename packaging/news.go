// Package packaging holds what an installed box consists of, and what each release
// brought: the package's changelog, which is the only place where that is written.
package packaging

import (
	_ "embed"
	"strings"
	"time"
)

//go:embed debian/changelog
var changelog string

// Release is an entry of the changelog.
type Release struct {
	Version string
	Date    time.Time
	Points  []string // what is new, a sentence or two each
}

// Releases returns the entries, the newest first.
func Releases() []Release { return parse(changelog) }

// parse reads a changelog as deb-changelog(5) describes it.
func parse(text string) (all []Release) {
	var now Release
	for line := range strings.Lines(text) {
		switch line = strings.TrimRight(line, " \n"); {
		case strings.HasPrefix(line, " -- "):
			if _, date, ok := strings.Cut(line, ">  "); ok {
				now.Date, _ = time.Parse(time.RFC1123Z, date) // the zero time is shown as none
			}
			all = append(all, now)
		case strings.HasPrefix(line, "  * "):
			now.Points = append(now.Points, line[4:])
		case strings.HasPrefix(line, "    ") && len(now.Points) > 0:
			now.Points[len(now.Points)-1] += " " + strings.TrimSpace(line)
		case line != "" && line[0] != ' ':
			now = Release{}
			if _, rest, ok := strings.Cut(line, "("); ok {
				now.Version, _, _ = strings.Cut(rest, ")")
			}
		}
	}
	return all
}
