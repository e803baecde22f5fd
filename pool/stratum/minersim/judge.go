package minersim

import (
	"bytes"
	"errors"
	"net"
	"slices"
	"strings"
	"time"
)

// hear takes a line of the pool; done is true when the device has what it came
// for.
func (c *conversation) hear(text string, now time.Time) (done bool, err error) {
	p := &c.device.Profile
	if p.LineLimit > 0 && len(text) >= p.LineLimit {
		return false, c.fault("a line of %d bytes, more than %d", len(text), p.LineLimit-1)
	}
	l, err := parseLine(text)
	if err != nil {
		return false, c.fault("%v", err)
	}
	if c.waiting == NextLine && l.method != "" {
		return false, c.fault("takes %s for the answer to %s", l.method, c.owed[0].method)
	}
	if c.announced && l.method != "mining.notify" {
		return false, c.fault("a difficulty without a job directly behind it")
	}
	switch l.method {
	case "":
		return false, c.hearAnswer(l, now)
	case "mining.set_difficulty":
		return false, c.hearDifficulty(l)
	case "mining.notify":
		if err := c.hearJob(l, len(text), now); err != nil {
			return false, err
		}
		return p.Visit == UntilWork, nil
	}
	return false, c.fault("does not know %s", l.method)
}

// hearAnswer takes an answer, which must be to the oldest question: some
// firmware cannot tell them apart.
func (c *conversation) hearAnswer(l line, now time.Time) error {
	if len(c.owed) == 0 {
		return c.fault("an answer without a question")
	}
	asked := c.owed[0]
	c.owed = c.owed[1:]
	if id := string(l.members["id"]); id != asked.id {
		return c.fault("answer %s where %s is next", id, asked.id)
	}
	problem, err := l.problem()
	if err != nil {
		return c.fault("%v", err)
	}

	result := l.members["result"]
	switch asked.method {
	case "mining.submit":
		c.count(problem)
		return nil
	case "mining.get_transactions": // whatever
		return nil
	}
	if problem != "" {
		return c.fault("%s refused: %s", asked.method, problem)
	}
	switch asked.method {
	case "mining.subscribe":
		c.subscribed = true
		c.device.sid, c.extranonce1, c.size, err = parseSubscription(result)
	case "mining.configure":
		c.mask, err = parseConfiguration(result, asked.extensions)
		if needs := c.device.Profile.NeedsMask; err == nil && c.mask&needs != needs {
			return c.fault("rolls %08x and may roll %08x only", needs, c.mask)
		}
	default:
		if string(result) != "true" {
			return c.fault("%s answered with %s", asked.method, result)
		}
	}
	if err != nil {
		return c.fault("%v", err)
	}
	if asked.method == "mining.authorize" {
		if c.outstanding--; c.outstanding == 0 {
			c.prepare(c.device.Profile.Authorized)
			if err := c.catchUp(now); err != nil {
				return err
			}
		}
	}
	if c.waiting != Pipelined && len(c.owed) == 0 {
		c.waiting, c.deadline = Pipelined, time.Time{}
	}
	return c.speak(now)
}

// count takes the answer to a share.
func (c *conversation) count(problem string) {
	c.device.note(func(s *Stats) {
		if problem == "" {
			s.Accepted++
			return
		}
		if s.Rejected == nil {
			s.Rejected = make(map[string]uint64)
		}
		s.Rejected[problem]++
	})
}

func (c *conversation) hearDifficulty(l line) error {
	if !c.subscribed {
		return c.fault("a difficulty before the answer to mining.subscribe")
	}
	d, err := parseDifficulty(l.members["params"])
	if err != nil {
		return c.fault("%v", err)
	}
	if c.device.Profile.Truncate && d >= 1 && d != float64(uint32(d)) {
		return c.fault("reads difficulty %v as %d", d, uint32(d))
	}
	c.announced = true
	c.pending = append(c.pending, c.device.difficulty(d))
	if c.device.Profile.Applies == AtOnce && c.search != nil {
		c.search.difficulty = c.pending[len(c.pending)-1]
	}
	c.device.note(func(s *Stats) { s.Difficulties++ })
	return nil
}

// hearJob looks at a job from all sides and hands it to the chips.
func (c *conversation) hearJob(l line, length int, now time.Time) error {
	p := &c.device.Profile
	c.announced = false
	if !c.subscribed || c.outstanding == p.authorised() {
		return c.fault("a job in the middle of the handshake")
	}
	j, err := ParseJob(l.members["params"])
	if err != nil {
		return c.fault("%v", err)
	}
	switch size, err := c.coinbase(j); {
	case err != nil:
		return c.fault("%v", err)
	case p.NotifyLimit > 0 && length > p.NotifyLimit:
		return c.fault("a job of %d bytes, more than %d", length, p.NotifyLimit)
	case p.CoinbaseLimit > 0 && size > p.CoinbaseLimit:
		return c.fault("a coinbase of %d bytes, more than %d", size, p.CoinbaseLimit)
	case p.MaxBranches > 0 && len(j.Branches) > p.MaxBranches:
		return c.fault("%d branches, more than %d", len(j.Branches), p.MaxBranches)
	case c.knows(j):
		return c.fault("drops job %s, whose number it has already seen", j.ID)
	case len(c.pending) == 0 && c.inForce == 0:
		return c.fault("a job without a difficulty")
	}
	if n := len(c.jobs); n > 0 {
		last := c.jobs[n-1]
		switch {
		case j.PrevHash != last.PrevHash && !j.Clean:
			return c.fault("another previous block without clean_jobs")
		case bytes.Equal(j.Coinbase1, last.Coinbase1) && bytes.Equal(j.Coinbase2, last.Coinbase2) && slices.Equal(j.Branches, last.Branches):
			return c.fault("the same job under another number")
		}
	} else if !j.Clean {
		return c.fault("a first job without clean_jobs")
	}
	c.jobs = append(c.jobs, j)
	c.device.note(func(s *Stats) {
		s.Jobs++
		if n := len(s.Tips); n == 0 || s.Tips[n-1] != j.PrevHash {
			s.Tips = append(s.Tips, j.PrevHash)
		}
	})

	if p.Applies == Stacked {
		if len(c.pending) > 0 {
			c.inForce, c.pending = c.pending[0], c.pending[1:]
		}
	} else if n := len(c.pending); n > 0 {
		c.inForce, c.pending = c.pending[n-1], nil
	}
	if c.following == nil { // else the chips are about to come for the newest job anyway
		c.switchAt = now.Add(p.Lag)
	}
	c.following = &j
	if c.search == nil {
		c.take(now)
	}
	if p.EachJob != "" {
		return c.say(c.fill(p.EachJob, "$job", j.ID), now)
	}
	return nil
}

// knows reports whether the firmware takes a job for an old one.
func (c *conversation) knows(j Job) bool {
	memory := len(c.jobs)
	if n := c.device.Profile.JobMemory; n > 0 {
		memory = min(memory, n)
	}
	return slices.ContainsFunc(c.jobs[len(c.jobs)-memory:], func(old Job) bool { return old.ID == j.ID })
}

// coinbase returns the coinbase's size, and checks that the extranonces lie
// within the input script: 41 bytes before its length, 2 to 100 in it.
func (c *conversation) coinbase(j Job) (size int, err error) {
	const lengthAt = 4 + 1 + 36
	begin := len(j.Coinbase1)
	end := begin + len(c.extranonce1) + c.size
	if begin <= lengthAt {
		return 0, errors.New("a coinbase without an input script before the extranonces")
	}
	if length := int(j.Coinbase1[lengthAt]); length > 100 || end > lengthAt+1+length {
		return 0, errors.New("extranonces behind the end of the input script")
	}
	return end + len(j.Coinbase2), nil
}

// take lets the chips begin with the job that follows.
func (c *conversation) take(now time.Time) {
	next := &search{
		profile: &c.device.Profile, job: *c.following, difficulty: c.inForce, since: now,
		extranonce1: c.extranonce1, size: c.size, mask: c.mask,
	}
	if c.search != nil && c.device.Profile.Extranonce == Counting {
		next.unit = c.search.unit
	}
	c.search, c.following = next, nil
}

// look is all that a probe does: the whole handshake at once, one read, and a
// look for the words that tell a pool.
func (d *Device) look(conn net.Conn) error {
	c := newConversation(d, conn)
	now := time.Now()
	if err := c.speak(now); err != nil {
		return err
	}
	if err := conn.SetReadDeadline(c.deadline); err != nil {
		return err
	}
	first := make([]byte, d.Profile.LineLimit)
	n, err := conn.Read(first)
	c.said = string(first[:n])
	switch {
	case err != nil:
		return c.fault("no answer to a probe: %v", err)
	case !strings.Contains(c.said, "mining.notify"):
		return c.fault("no mining.notify in the first bytes")
	}
	return nil
}
