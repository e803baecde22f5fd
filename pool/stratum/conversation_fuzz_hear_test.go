package stratum_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/dmpool/dmpool/pool/stratum/minersim"
	"github.com/dmpool/dmpool/pool/work"
)

// listen takes in what the pool has said.
func (c *conversation) listen() {
	synctest.Wait()
	c.mu.Lock()
	text := string(c.heard)
	c.heard = nil
	c.mu.Unlock()
	if text != "" && !strings.HasSuffix(text, "\n") {
		c.t.Fatalf("a line without an end: %q", text)
	}
	for line := range strings.Lines(text) {
		c.hear(line)
	}
}

func (c *conversation) hear(line string) {
	var m struct {
		ID, Params, Result json.RawMessage
		Error              []json.RawMessage
		Method             *string
	}
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		c.t.Fatalf("%q: %v", line, err)
	}
	if c.announced != 0 && (m.Method == nil || *m.Method != "mining.notify") {
		c.t.Fatalf("a difficulty, and then %s", line)
	}
	if m.Method == nil {
		c.hearAnswer(line, string(m.ID), m.Result, m.Error)
		return
	}
	switch *m.Method {
	case "mining.set_difficulty":
		var list []float64
		if err := json.Unmarshal(m.Params, &list); err != nil || len(list) != 1 || !(list[0] > 0) {
			c.t.Fatalf("%s", line)
		}
		c.announced = list[0]
		c.books.announce(list[0])
	case "mining.notify":
		job, err := minersim.ParseJob(m.Params)
		if err != nil {
			c.t.Fatalf("%s: %v", line, err)
		}
		switch {
		case !c.subscribed || !c.authorized:
			c.t.Fatal("a job before the handshake")
		case slices.ContainsFunc(c.jobs, func(j issued) bool { return j.ID == job.ID }):
			c.t.Fatalf("job %s comes twice", job.ID)
		case len(c.jobs) > 0 && c.jobs[len(c.jobs)-1].PrevHash != job.PrevHash && !job.Clean:
			c.t.Fatal("another tip without clean_jobs")
		}
		if c.announced != 0 {
			c.current, c.announced = c.announced, 0
		}
		if c.current == 0 {
			c.t.Fatal("a job without a difficulty")
		}
		c.jobs = append(c.jobs, issued{job, c.current})
	case "client.reconnect", "client.show_message":
	default:
		c.t.Fatalf("unexpected %s", line)
	}
}

func (c *conversation) hearAnswer(line, id string, result json.RawMessage, fault []json.RawMessage) {
	if len(c.owed) == 0 {
		c.t.Fatalf("an answer to nothing: %s", line)
	}
	asked := c.owed[0]
	c.owed = c.owed[1:]
	code := 0
	if fault != nil {
		if len(fault) != 3 || json.Unmarshal(fault[0], &code) != nil || string(result) != "null" {
			c.t.Fatalf("error of another shape: %s", line)
		}
	}
	if id != asked.id || !slices.Contains(asked.codes, code) {
		c.t.Fatalf("%s with id %s answered by %s want one of %v", asked.what, asked.id, line, asked.codes)
	}
	switch {
	case code != 0:
	case asked.what == "mining.submit":
		c.credited++
	case asked.what == "mining.subscribe":
		var list []json.RawMessage
		var first string
		if json.Unmarshal(result, &list) != nil || len(list) != 3 || json.Unmarshal(list[1], &first) != nil {
			c.t.Fatalf("%s", line)
		}
		if c.extranonce1 != "" && c.extranonce1 != first {
			c.t.Fatalf("extranonce1 %s after %s", first, c.extranonce1)
		}
		c.extranonce1 = first
	}
}

// verdict is what has to be true at the end.
func (c *conversation) verdict() {
	elapsed := time.Since(c.begun)
	ready := c.subscribed && c.authorized
	mayLeave := c.leaving || c.junk >= 5 || !ready && elapsed >= 30*time.Second || elapsed >= time.Minute
	switch {
	case c.closed() && !mayLeave:
		c.t.Fatalf("the pool hung up after %v", elapsed)
	case !c.closed() && len(c.owed) > 0:
		c.t.Fatalf("%d requests were not answered, the first one %+v", len(c.owed), c.owed[0])
	case !c.closed() && ready && len(c.jobs) == 0:
		c.t.Fatal("no job after the handshake")
	case !c.closed() && c.credited != len(c.books.shares):
		c.t.Fatalf("%d shares answered with true, %d in the books", c.credited, len(c.books.shares))
	case c.credited > len(c.books.shares):
		c.t.Fatalf("%d shares answered with true, only %d in the books", c.credited, len(c.books.shares))
	}
	for _, s := range c.books.shares {
		at := slices.IndexFunc(c.jobs, func(j issued) bool { return j.ID == fmt.Sprintf("%08x", s.Job.ID) })
		switch {
		case s.Worker.Address != "addr":
			c.t.Fatalf("credited to %+v", s.Worker)
		case at < 0:
			c.t.Fatalf("a share for job %08x, which nobody got", s.Job.ID)
		case s.Difficulty > c.jobs[at].difficulty || !c.books.difficulties[s.Difficulty]:
			c.t.Fatalf("credited %v for a job of %v", s.Difficulty, c.jobs[at].difficulty)
		case !work.AcceptTarget(s.Difficulty).Meets(s.Proof.Hash):
			c.t.Fatalf("hash %v is no share of %v", s.Proof.Hash, s.Difficulty)
		}
	}
}
