package webui

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// This file answers in the shapes of public-pool, so that what was made for it
// works here: integrations of Home Assistant, the screen of a NerdMiner, widgets.
// Its readers have rules that no document says:
//
//   - a number is never null, because they convert it without looking;
//   - an address that nobody mines to is a miner with no workers, not an error;
//   - the order of workers stays, because some remember them by their place;
//   - the sums come before the workers, because a small device reads into 2 KB and
//     stops where they are full.
//
// What would name a person to strangers stays empty: who found a block.

// compatible hides a route while the operator does not want these shapes.
func (s *site) compatible(h handler) handler {
	return func(w http.ResponseWriter, r *http.Request, who caller) error {
		if !s.box.Rules().CompatibleAPI {
			return notFound()
		}
		return h(w, r, who)
	}
}

// scriptTime is a time as JavaScript writes it.
func scriptTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z07:00") }

type ppBlockJSON struct {
	Height  int32  `json:"height"`
	Miner   string `json:"minerAddress"` // empty, as are the next two
	Worker  string `json:"worker"`
	Session string `json:"sessionId"`
}

// ppBlocks is how many of the newest blocks are listed.
const ppBlocks = 100

func (s *site) ppFound(r *http.Request) ([]ppBlockJSON, error) {
	lines, err := s.box.Blocks(r.Context(), 0, ppBlocks)
	if err != nil {
		return nil, err
	}
	found := []ppBlockJSON{}
	for _, b := range lines {
		if b.State != "orphaned" && b.State != "stale" && b.State != "rejected" {
			found = append(found, ppBlockJSON{Height: b.Height})
		}
	}
	return found, nil
}

type ppPoolJSON struct {
	Hashrate float64       `json:"totalHashRate"`
	Height   int32         `json:"blockHeight"`
	Miners   int           `json:"totalMiners"`
	Blocks   []ppBlockJSON `json:"blocksFound"`
	Fee      json.Number   `json:"fee"` // per cent
}

func (s *site) ppPool(r *http.Request) (any, error) {
	v, err := s.box.Pulse(r.Context())
	if err != nil {
		return nil, err
	}
	found, err := s.ppFound(r)
	if err != nil {
		return nil, err
	}
	return ppPoolJSON{
		Hashrate: v.Live, Height: v.Height, Miners: v.here(), Blocks: found,
		Fee: json.Number(writeFixed(s.box.Rules().FeeBps, 2)),
	}, nil
}

func (s *site) ppNetwork(r *http.Request) (any, error) { return s.box.Mining(r.Context()) }

type ppInfoJSON struct {
	Blocks []ppBlockJSON `json:"blockData"`
	Agents []ppAgentJSON `json:"userAgents"`
	Scores []ppScoreJSON `json:"highScores"`
	Since  string        `json:"uptime"`
}

type ppAgentJSON struct {
	Agent    string  `json:"userAgent"`
	Count    int     `json:"count"`
	Best     float64 `json:"bestDifficulty"`
	Hashrate float64 `json:"totalHashRate"`
}

type ppScoreJSON struct {
	At    string  `json:"updatedAt"`
	Best  float64 `json:"bestDifficulty"`
	Agent string  `json:"bestDifficultyUserAgent"`
}

// ppScores is how many of the best shares are listed.
const ppScores = 10

func (s *site) ppInfo(r *http.Request) (any, error) {
	v, err := s.box.Pulse(r.Context())
	if err != nil {
		return nil, err
	}
	sessions, err := s.box.Sessions(r.Context(), "")
	if err != nil {
		return nil, err
	}
	found, err := s.ppFound(r)
	if err != nil {
		return nil, err
	}
	return ppInfoJSON{Blocks: found, Agents: agentsOf(sessions), Scores: scoresOf(v.Workers), Since: scriptTime(v.StartedAt)}, nil
}

// agentsOf sums up the connections by mining software, the most frequent first.
func agentsOf(sessions []sessionLine) []ppAgentJSON {
	at, agents := map[string]int{}, []ppAgentJSON{}
	for _, s := range sessions {
		i, known := at[s.UserAgent]
		if !known {
			i = len(agents)
			at[s.UserAgent] = i
			agents = append(agents, ppAgentJSON{Agent: s.UserAgent})
		}
		agents[i].Count++
		agents[i].Best = max(agents[i].Best, s.Best)
		agents[i].Hashrate += s.Hashrate
	}
	slices.SortFunc(agents, func(a, b ppAgentJSON) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Agent, b.Agent))
	})
	return agents[:min(maxLines, len(agents))]
}

// scoresOf lists the best shares ever, one of each worker.
func scoresOf(workers []workerLine) []ppScoreJSON {
	scores := []ppScoreJSON{}
	for _, w := range workers {
		if w.Best.Ever != nil {
			scores = append(scores, ppScoreJSON{scriptTime(w.Best.EverAt), *w.Best.Ever, w.UserAgent})
		}
	}
	slices.SortStableFunc(scores, func(a, b ppScoreJSON) int { return cmp.Compare(b.Best, a.Best) })
	return scores[:min(ppScores, len(scores))]
}

type ppPointJSON struct {
	At       string  `json:"label"`
	Hashrate float64 `json:"data"`
}

func (s *site) ppInfoChart(r *http.Request) (any, error) { return s.ppChart(r, "", "") }

// ppChart is the last day in slots of ten minutes, without the one that is not over
// and those in which the pool was not running: of one worker, of one address, or of
// the pool.
func (s *site) ppChart(r *http.Request, address, worker string) ([]ppPointJSON, error) {
	read := func(ctx context.Context, from, to time.Time, step time.Duration) ([]point, error) {
		return s.box.WorkerHashrates(ctx, address, worker, from, to, step)
	}
	points, err := s.points(r.Context(), read, spanNamed("24h"))
	if err != nil {
		return nil, err
	}
	chart := []ppPointJSON{}
	for _, p := range points {
		if p.HS != nil {
			chart = append(chart, ppPointJSON{scriptTime(p.At), *p.HS})
		}
	}
	return chart, nil
}

// ppTopShares are shares that other pools reported to a public-pool. Nobody
// reports any to this one.
func (s *site) ppTopShares(*http.Request) (any, error) { return []struct{}{}, nil }
