package webui

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// workerView fills templates/worker.html.
type workerView struct {
	workerLine
	Connections []connectionLine
	Bans        []banLine // that keep it out
	Power       powerView
	Range       string
	Chart       *chart

	Typed   mark   // label and tags as they stand in the form
	Problem string // why they do not do, a sentence
	Saved   bool
}

// powerView is what the devices of a worker use that were added, and what its account
// earned with all that its workers used.
type powerView struct {
	Devices []deviceLine
	Watts   *float64 // of all of them
	PerTH   *float64 // joules

	From, To time.Time // of the yield
	KWh      *float64
	Sats     *int64
	PerKWh   *int64 // nil: see Why
	Why      string // unmeasured, short, others or gaps
}

// connectionLine is one connection of a worker.
type connectionLine struct {
	ID          string
	IP          string // of the miner, or of the nearest router
	Port        string // profile of the port; empty for the ordinary one
	UserAgent   string
	Others      int // further workers of the connection
	Difficulty  *float64
	Rate        *float64
	Accepted    int64
	Rejected    int64
	Best        *float64
	ConnectedAt time.Time
	LastShare   time.Time
}

// Path is where the worker's page is.
func (w workerLine) Path() string { return workerPath(w.Address, w.Name) }

// TagText are the tags as they are typed.
func (m mark) TagText() string { return strings.Join(m.Tags, " ") }

// workerPath is where the page of a worker is. A name can be anything: what would
// not survive as a part of a path is written in base64 behind an @.
func workerPath(address, name string) string {
	part := url.PathEscape(name)
	if name == "" || strings.Trim(name, ".") == "" || strings.Contains(name, "/") || name[0] == '@' {
		part = "@" + base64.RawURLEncoding.EncodeToString([]byte(name))
	}
	return "/workers/" + url.PathEscape(address) + "/" + part
}

// workerOf reads the worker that a path of workerPath names.
func (s *site) workerOf(r *http.Request) (address, name string, err error) {
	if address, err = s.box.ParseAddress(cut(r.PathValue("address"), 200)); err != nil {
		return "", "", notFound()
	}
	name = r.PathValue("worker")
	if text, ok := strings.CutPrefix(name, "@"); ok {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			return "", "", notFound()
		}
		name = string(raw)
	}
	return address, name, nil
}

func (s *site) worker(r *http.Request, _ caller) (any, error) {
	v, err := s.findWorker(r)
	if err != nil {
		return nil, err
	}
	v.Saved = r.URL.Query().Has("saved")
	return v, nil
}

func (s *site) findWorker(r *http.Request) (workerView, error) {
	address, name, err := s.workerOf(r)
	if err != nil {
		return workerView{}, err
	}
	v, err := s.box.Worker(r.Context(), address, name)
	if err != nil {
		return v, err
	}
	v.Typed = mark{Label: v.Label, Tags: v.Tags}
	v.Range = chartRange(r)
	v.Chart, err = s.chart(r.Context(), s.seriesOfWorker(address, name), v.Range, v.Path()+"/hashrate.csv")
	return v, err
}

// seriesOfWorker is the series of one worker.
func (s *site) seriesOfWorker(address, name string) series {
	return func(ctx context.Context, from, to time.Time, step time.Duration) ([]point, error) {
		return s.box.WorkerHashrates(ctx, address, name, from, to, step)
	}
}

// workerSeries is the hash rate of a worker as CSV. Its name is not in that of the
// file: it could be anything.
func (s *site) workerSeries(w http.ResponseWriter, r *http.Request, _ caller) error {
	address, name, err := s.workerOf(r)
	if err != nil {
		return err
	}
	return s.sendSeries(w, r, s.seriesOfWorker(address, name), "worker")
}

// markWorker saves what the operators call a worker.
func (s *site) markWorker(w http.ResponseWriter, r *http.Request, who caller) error {
	v, err := s.findWorker(r)
	if err != nil {
		return err
	}
	m := mark{Address: v.Address, Worker: v.Name, Label: r.PostFormValue("label"), Tags: strings.Fields(r.PostFormValue("tags"))}
	v.Typed = mark{Label: cut(m.Label, 200), Tags: m.Tags[:min(len(m.Tags), 40)]}
	err = s.box.SetMark(r.Context(), m, who.Operator, who.IP.String())
	if detail, ok := detailOf(err); ok {
		v.Problem = detail
		return s.again(w, r, who, "worker", v)
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, v.Path()+"?saved", http.StatusSeeOther)
	return nil
}
