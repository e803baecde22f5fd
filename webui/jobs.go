package webui

import (
	"net/http"
	"time"
)

// jobLine is a scheduled job.
type jobLine struct {
	Name, Text string
	Every      time.Duration
	Next, Last time.Time
	Ran        bool // it has a last result
	OK         bool
	Message    string
}

// runLine is one run of a job.
type runLine struct {
	Job      string
	Started  time.Time
	Finished time.Time // zero: under way
	OK       bool
	Message  string
}

// Took is how long the run lasted.
func (l runLine) Took() time.Duration { return l.Finished.Sub(l.Started) }

// jobsView fills templates/jobs.html.
type jobsView struct {
	Jobs []jobLine
	Runs []runLine
	Only string // the job that the runs are of, empty for all
}

func (s *site) jobs(r *http.Request, _ caller) (any, error) {
	return s.box.Jobs(r.Context(), r.URL.Query().Get("job"))
}

func (s *site) runJob(w http.ResponseWriter, r *http.Request, who caller) error {
	if err := s.box.RunJob(r.Context(), r.PathValue("name"), who.Operator, who.IP.String()); err != nil {
		return err
	}
	http.Redirect(w, r, "/jobs", http.StatusSeeOther)
	return nil
}
