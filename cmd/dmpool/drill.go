package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/drill"
	"github.com/dmpool/dmpool/appliance/rehearsal"
)

// fireDrill does a fire drill and prints its report. It can run beside the pool: it
// has its own ports, stands back for everybody, and leaves only the report.
func fireDrill(ctx context.Context, c *cli) error {
	dataDir := c.flags.String("data-dir", ownDataDir(), "folder that holds everything of this box; the report goes there")
	bitcoind := c.flags.String("bitcoind", "", "path of bitcoind; empty: the one that the box has got, the bundled one, then $PATH")
	asJSON := c.flags.Bool("json", false, "print the report as JSON, when the drill has ended")
	keep := c.flags.Bool("keep", false, "keep the throw-away box, to look at it")
	if err := c.parse(); err != nil {
		return err
	}
	dir, err := filepath.Abs(*dataDir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if err := becomeOwner(dir); err != nil {
		return err
	}
	program, err := appliance.DrillGround(dir, *bitcoind)
	if err != nil {
		return err
	}
	stage, err := drill.In(dir).Take()
	if err != nil {
		return err
	}
	drill.StandBack()
	told := 0
	report := rehearsal.Run(ctx, rehearsal.Config{
		Dir: stage.Dir(), Bitcoind: program, Release: release,
		Progress: func(r drill.Report) {
			if err := stage.Show(r); err != nil {
				fmt.Fprintln(c.stderr, "dmpool: "+err.Error())
			}
			for ; !*asJSON && told < len(r.Steps) && r.Steps[told].Ended(); told++ {
				fmt.Fprint(c.stdout, r.Steps[told].Line())
			}
		},
	})
	if *keep {
		if report.Kept, err = stage.Keep(report.ID); err != nil {
			fmt.Fprintln(c.stderr, "dmpool: "+err.Error())
		}
	}
	if err := stage.End(report); err != nil {
		return err
	}
	if err := printDrill(c, report, *asJSON); err != nil {
		return err
	}
	if report.Verdict != drill.Passed {
		return errTold
	}
	return nil
}

func printDrill(c *cli, report drill.Report, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(c.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(report); err != nil {
			return fmt.Errorf("print report: %w", err)
		}
		return nil
	}
	_, err := fmt.Fprintf(c.stdout, "\n%s\n%s", report.Summary(), report.Remains())
	return err
}
