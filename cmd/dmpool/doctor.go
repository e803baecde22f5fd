package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/systemd"
)

// doctor looks at a box from outside, whether or not it runs, and prints a line for each
// check, with what to do below those that are not well. A box that is unwell is an
// error, so that scripts need not read.
func doctor(ctx context.Context, c *cli) error {
	dataDir := c.flags.String("data-dir", ownDataDir(), "folder that holds everything of this box")
	pages := c.flags.String("http", ":8080", "address of the web pages, to see who has it while the pool does not run")
	miners := c.flags.String("stratum", ":3333", "address for miners, likewise")
	asJSON := c.flags.Bool("json", false, "write it for programs")
	if err := c.parse(); err != nil {
		return err
	}
	dir, err := filepath.Abs(*dataDir)
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if !exists(dir) {
		return fmt.Errorf("%s is not there; name the data directory of a box with --data-dir", dir)
	}
	if err := becomeOwner(dir); err != nil {
		return err
	}
	e := appliance.Exam{DataDir: dir, Built: built(), Ports: []appliance.WantedPort{
		{Purpose: "the web pages", Addr: *pages, Flag: "--http"}, {Purpose: "miners", Addr: *miners, Flag: "--stratum"},
	}}
	if dir == installedDataDir {
		bus := &systemd.Bus{}
		defer bus.Close()
		e.Units = bus
	}
	d, err := appliance.Examine(ctx, e)
	if err != nil {
		return err
	}
	if *asJSON {
		err = printDiagnosisJSON(c.stdout, d)
	} else {
		printDiagnosis(c.stdout, d)
	}
	if err == nil && d.Status != appliance.Healthy {
		err = errUnwell
	}
	return err
}

// errUnwell says that the report, which is printed already, is not a good one.
var errUnwell = errors.New("not all is well; see above")

// printDiagnosis writes a line for each check. The first word is for who skims.
func printDiagnosis(w io.Writer, d appliance.Diagnosis) {
	words := map[string]string{appliance.Healthy: "ok", appliance.Degraded: "warning", appliance.Down: "PROBLEM"}
	for _, c := range d.Checks {
		fmt.Fprintf(w, "%-8s %-8s %s\n", words[c.Status], c.Name, c.Reason)
		if c.NextStep != "" {
			fmt.Fprintf(w, "%-17s -> %s\n", "", c.NextStep)
		}
	}
	switch {
	case d.Network == "":
		fmt.Fprintln(w, "The box is not set up.")
	case !d.Running:
		fmt.Fprintf(w, "Network %s. The pool does not run, so node, miners and wallet were not asked.\n", d.Network)
	case d.Asked.IsZero():
		fmt.Fprintf(w, "Network %s. The pool runs and has not said yet how it is.\n", d.Network)
	default:
		fmt.Fprintf(w, "Network %s. What only the running pool knows is from %s ago.\n", d.Network, time.Since(d.Asked).Round(time.Second))
	}
}

func printDiagnosisJSON(w io.Writer, d appliance.Diagnosis) error {
	type check struct {
		Name     string `json:"name"`
		Status   string `json:"status"`
		Reason   string `json:"reason"`
		NextStep string `json:"next_step,omitempty"`
	}
	v := struct {
		Network string     `json:"network"` // empty: not set up
		Running bool       `json:"running"`
		AskedAt *time.Time `json:"asked_at"` // when the running pool said how it is; null: it has not
		Status  string     `json:"status"`
		Checks  []check    `json:"checks"`
	}{Network: d.Network, Running: d.Running, Status: d.Status, Checks: []check{}}
	if !d.Asked.IsZero() {
		v.AskedAt = new(d.Asked.UTC())
	}
	for _, c := range d.Checks {
		v.Checks = append(v.Checks, check(c))
	}
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	if err := out.Encode(v); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
