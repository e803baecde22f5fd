package webui

import (
	"net/http"
	"strconv"
)

// The part of public-pool's shapes that is about one address; its rules are in
// compat_publicpool.go.

type ppClientJSON struct {
	Best    float64        `json:"bestDifficulty"`
	Count   int            `json:"workersCount"`
	Workers []ppWorkerJSON `json:"workers"`
}

type ppWorkerJSON struct {
	Session  string  `json:"sessionId"`
	Name     string  `json:"name"`
	Best     string  `json:"bestDifficulty"` // "123.45"
	Hashrate float64 `json:"hashRate"`
	Start    string  `json:"startTime"`
	Seen     string  `json:"lastSeen"`
}

// unnamed is what public-pool calls a worker without a name.
const unnamed = "worker"

func nameOf(s sessionLine) string {
	if s.Name == "" {
		return unnamed
	}
	return s.Name
}

// observeSessions is what there is to see of an address, and its connections now.
func (s *site) observeSessions(r *http.Request) (v observerView, now []sessionLine, err error) {
	if v, err = s.observe(r); err != nil {
		return v, nil, err
	}
	now, err = s.box.Sessions(r.Context(), v.Address)
	return v, now, err
}

func (s *site) ppClient(r *http.Request) (any, error) {
	v, sessions, err := s.observeSessions(r)
	if err != nil {
		return nil, err
	}
	answer := ppClientJSON{Best: orZero(v.Best.Ever), Count: len(sessions), Workers: []ppWorkerJSON{}}
	for _, l := range sessions[:min(maxLines, len(sessions))] {
		answer.Workers = append(answer.Workers, ppWorkerJSON{
			Session: l.ID, Name: nameOf(l), Best: strconv.FormatFloat(l.Best, 'f', 2, 64),
			Hashrate: l.Hashrate, Start: scriptTime(l.ConnectedAt), Seen: scriptTime(l.SeenAt),
		})
	}
	return answer, nil
}

func (s *site) ppClientChart(r *http.Request) (any, error) {
	address, err := s.addressOf(r)
	if err != nil {
		return nil, err
	}
	return s.ppChart(r, address, "")
}

type ppGroupJSON struct {
	Name  string        `json:"name"`
	Best  float64       `json:"bestDifficulty"`
	Chart []ppPointJSON `json:"chartData"`
}

// ppGroup is all of an address's connections with one name.
func (s *site) ppGroup(r *http.Request) (any, error) {
	v, err := s.observe(r)
	if err != nil {
		return nil, err
	}
	worker, known := workerNamed(v.Workers, r.PathValue("worker"))
	if !known {
		return nil, notFound()
	}
	chart, err := s.groupChart(r, v, worker.Name)
	if err != nil {
		return nil, err
	}
	return ppGroupJSON{Name: r.PathValue("worker"), Best: orZero(worker.Best.Ever), Chart: chart}, nil
}

func workerNamed(workers []workerLine, name string) (workerLine, bool) {
	for _, w := range workers {
		if w.Name == name || w.Name == "" && name == unnamed {
			return w, true
		}
	}
	return workerLine{}, false
}

type ppSessionJSON struct {
	Session string        `json:"sessionId"`
	Name    string        `json:"name"`
	Best    float64       `json:"bestDifficulty"`
	Chart   []ppPointJSON `json:"chartData"` // of all connections with this name
	Start   string        `json:"startTime"`
}

func (s *site) ppSession(r *http.Request) (any, error) {
	v, sessions, err := s.observeSessions(r)
	if err != nil {
		return nil, err
	}
	for _, l := range sessions {
		if l.ID != r.PathValue("session") || nameOf(l) != r.PathValue("worker") {
			continue
		}
		chart, err := s.groupChart(r, v, l.Name)
		if err != nil {
			return nil, err
		}
		return ppSessionJSON{Session: l.ID, Name: nameOf(l), Best: l.Best, Chart: chart, Start: scriptTime(l.ConnectedAt)}, nil
	}
	return nil, notFound()
}

// groupChart is the chart of one worker. That of the worker without a name is not
// kept apart from its address's, so where there are others it is empty.
func (s *site) groupChart(r *http.Request, v observerView, name string) ([]ppPointJSON, error) {
	if name == "" && len(v.Workers)+v.More > 1 {
		return []ppPointJSON{}, nil
	}
	return s.ppChart(r, v.Address, name)
}
