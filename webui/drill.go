package webui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/dmpool/dmpool/appliance/drill"
)

// fireDrills is what the box tells of fire drills.
type fireDrills interface {
	Drills() (drillsView, error)
	DrillReport(id string) (drill.Report, error)
	StartDrill(ctx context.Context, op operator, ip string) error
}

// drillsView fills templates/drill.html.
type drillsView struct {
	Busy    bool           // one runs, or is about to begin
	Now     *drill.Report  // of the one that runs; nil before it has told anything
	Last    []drill.Report // the newest first
	Problem string         // why the last one left no report, empty when it did
}

// drillView fills templates/report.html.
type drillView struct{ Drill drill.Report }

func (s *site) drills(*http.Request, caller) (any, error) { return s.box.Drills() }

func (s *site) drill(r *http.Request, _ caller) (any, error) {
	report, err := s.box.DrillReport(r.PathValue("id"))
	return drillView{report}, err
}

// startDrill begins one. It moves no money and asks for nothing, and there is never
// more than one.
func (s *site) startDrill(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := s.box.StartDrill(r.Context(), who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/drill", http.StatusSeeOther)
	return nil
}

// drillFile hands a report out, to be kept or to be sent to somebody who helps.
func (s *site) drillFile(w http.ResponseWriter, r *http.Request, _ caller) error {
	id, kind, _ := strings.Cut(r.PathValue("file"), ".")
	report, err := s.box.DrillReport(id)
	if err != nil {
		return err
	}
	var text string
	h := w.Header()
	switch kind {
	case "txt":
		h.Set("Content-Type", "text/plain; charset=utf-8")
		text = report.Text()
	case "json":
		h.Set("Content-Type", "application/json")
		all, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return fmt.Errorf("encode report: %w", err)
		}
		text = string(all) + "\n"
	default:
		return notFound()
	}
	h.Set("Content-Disposition", `attachment; filename="dmpool-drill-`+report.ID+"."+kind+`"`)
	_, err = io.WriteString(w, text)
	return gone(err)
}

func (m *machine) Drills() (drillsView, error) {
	d, err := m.box.Drills()
	return drillsView(d), err
}

func (m *machine) DrillReport(id string) (drill.Report, error) {
	report, err := m.box.DrillReport(id)
	if errors.Is(err, drill.ErrNoReport) {
		err = notFound()
	}
	return report, err
}

func (m *machine) StartDrill(ctx context.Context, op operator, ip string) error {
	return asProblem(m.box.StartDrill(ctx, op.Name, ip))
}
