package webui

import (
	"context"
	"time"

	"github.com/dmpool/dmpool/appliance/drill"
)

// brigade is the golden box's fire drills.
type brigade struct {
	drills drillsView
	begun  int
	unfit  error // for another one
}

// goodDrill and badDrill are reports, one of which has it all.
func goodDrill() drill.Report {
	r := drill.NewReport("1.2.0", noon.Add(-time.Hour), []drill.Step{
		{Name: "node", Title: "A node starts a chain of its own"}, {Name: "share", Title: "A share is accepted and written down"}, {Name: "confirmed", Title: "It is confirmed, and the miners have their coins"},
	})
	r.Node, r.Verdict, r.Seconds = "Bitcoin Core 31.1.0", drill.Passed, 6.52
	for i, seen := range []string{
		"Bitcoin Core 31.1.0 runs on a private chain, with nobody else on it.", "The wallet signed it, and transaction c0ffee12c0ffee12c0ffee12c0ffee12c0ffee12c0ffee12c0ffee12c0ffee12 waits for a block.",
		"It is 6 blocks deep. The miners' own wallet has all of its 4950000000 sat, and books and wallet agree to the satoshi.",
	} {
		r.Steps[i].State, r.Steps[i].Seen, r.Steps[i].Seconds = drill.Passed, seen, 1.5
	}
	return r
}

func badDrill() drill.Report {
	r := goodDrill()
	r.ID, r.Began = "20261121T080000Z", noon.Add(-28*time.Hour)
	r.Fail(1, "It took more than 3 minutes to wait until a share is accepted: "+hostile+".", "Look at the free space of the disk. Miners' shares may not be counted until this works.")
	r.Log, r.Kept = []string{"11:00:07 WARN Share refused reason=" + hostile}, "/var/lib/dmpool/drills/kept-20261121T080000Z"
	return r
}

// drilling is a box in which a drill runs.
func drilling(g *golden) *golden {
	now := goodDrill()
	now.Verdict, now.Steps[1].State, now.Steps[2].State = drill.Running, drill.Running, drill.Waiting
	now.Steps[1].Seen, now.Steps[2].Seen = "", ""
	g.drills.Busy, g.drills.Now = true, &now
	return g
}

func (b *brigade) Drills() (drillsView, error) { return b.drills, nil }

func (b *brigade) DrillReport(id string) (drill.Report, error) {
	for _, r := range b.drills.Last {
		if r.ID == id {
			return r, nil
		}
	}
	return drill.Report{}, notFound()
}

func (b *brigade) StartDrill(context.Context, operator, string) error {
	if b.unfit == nil {
		b.begun++
	}
	return b.unfit
}
