package minersim

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// pace is how often a device hashes, and looks at the clock.
const pace = 50 * time.Millisecond

// conversation is one connection to a pool. One goroutine listens, another
// one, the caller of run, does all the rest.
type conversation struct {
	device *Device
	conn   net.Conn
	heard  chan string
	lost   error  // why heard was closed
	said   string // the pool's last line

	steps    []saying  // still to be said
	waiting  Wait      // for the answer to the last one that was said
	deadline time.Time // for that, zero: none
	owed     []request // without an answer yet, oldest first
	nextID   int
	alive    time.Time // when the pool spoke last
	chatAt   time.Time

	subscribed  bool
	outstanding int // names that are not authorised yet
	extranonce1 []byte
	size        int
	mask        uint32

	pending   []float64 // difficulties announced and not in force yet
	announced bool      // the last line was one
	inForce   float64
	jobs      []Job // the last ones
	following *Job  // waits for the chips to come to it
	switchAt  time.Time
	search    *search
}

// saying is a step with its template filled in.
type saying struct {
	line   string
	wait   Wait
	within time.Duration
}

// request is what the pool owes an answer to.
type request struct {
	id, method string
	extensions []string // that mining.configure asks for
}

func newConversation(d *Device, conn net.Conn) *conversation {
	now := time.Now()
	c := &conversation{
		device: d, conn: conn, heard: make(chan string, 64),
		nextID: d.Profile.SubmitID, alive: now, chatAt: now.Add(d.Profile.ChatEvery),
		outstanding: d.Profile.authorised(),
	}
	c.prepare(d.Profile.Opening)
	return c
}

// listen passes lines on until the connection ends.
func (c *conversation) listen(ended <-chan struct{}) {
	defer close(c.heard)
	lines := bufio.NewScanner(c.conn)
	lines.Buffer(make([]byte, 4096), 1<<20)
	lines.Split(scanLine)
	for lines.Scan() {
		select {
		case c.heard <- lines.Text():
		case <-ended:
			return
		}
	}
	if c.lost = lines.Err(); c.lost == nil {
		c.lost = errors.New("connection closed by the pool")
	}
}

// scanLine is a split function that leaves a carriage return where it is: no
// pool should send one.
func scanLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := strings.IndexByte(string(data), '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return 0, nil, fmt.Errorf("%d bytes without a line's end", len(data))
	}
	return 0, nil, nil
}

// run speaks and mines until the connection or ctx ends.
func (c *conversation) run(ctx context.Context) error {
	ticker := time.NewTicker(pace)
	defer ticker.Stop()
	if err := c.speak(time.Now()); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case text, ok := <-c.heard:
			if !ok {
				return c.lost
			}
			c.said, c.alive = text, time.Now()
			done, err := c.hear(text, c.alive)
			if err != nil || done {
				return err
			}
		case <-ticker.C:
			if err := c.tick(time.Now()); err != nil {
				return err
			}
		}
	}
}

// fault says what the pool did.
func (c *conversation) fault(format string, args ...any) error {
	return &FaultError{Device: c.device.Profile.Name, What: fmt.Sprintf(format, args...), Line: c.said}
}

// prepare fills in steps and puts them at the end of what is to be said.
func (c *conversation) prepare(steps []Step) {
	d := c.device
	for _, step := range steps {
		text, names := step.Line, 1
		if d.sid != "" && step.Later != "" {
			text = step.Later
		}
		if step.Each {
			names = d.Profile.authorised()
		}
		for i := range names {
			c.steps = append(c.steps, saying{c.fill(text, "$user", d.username(i)), step.Wait, step.Within})
		}
	}
}

// fill fills in a template.
func (c *conversation) fill(template string, pairs ...string) string {
	return strings.NewReplacer(append(pairs, "$password", c.device.Password, "$sid", c.device.sid)...).Replace(template)
}

// speak says what is to be said, up to the first line that has to be answered
// before the next one.
func (c *conversation) speak(now time.Time) error {
	for len(c.steps) > 0 && c.waiting == Pipelined {
		step := c.steps[0]
		c.steps = c.steps[1:]
		c.waiting, c.deadline = step.wait, time.Time{}
		if step.within > 0 {
			c.deadline = now.Add(c.device.limit(step.within))
		}
		if err := c.say(step.line, now); err != nil {
			return err
		}
	}
	return nil
}

// say sends a line and remembers that it has to be answered.
func (c *conversation) say(text string, now time.Time) error {
	var r struct {
		ID     json.RawMessage
		Method string
		Params []json.RawMessage
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return fmt.Errorf("%s: line %q of the profile: %w", c.device.Profile.Name, text, err)
	}
	if string(r.ID) != "null" {
		owed := request{id: string(r.ID), method: r.Method}
		if r.Method == "mining.configure" {
			_ = json.Unmarshal(r.Params[0], &owed.extensions)
		}
		c.owed = append(c.owed, owed)
	}
	if err := c.conn.SetWriteDeadline(now.Add(10 * time.Second)); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	if _, err := c.conn.Write([]byte(text + "\n")); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// submit sends a share.
func (c *conversation) submit(s share, now time.Time) error {
	id := c.nextID
	if !c.device.Profile.OneID {
		c.nextID++
	}
	return c.say(c.fill(c.device.Profile.Submit, "$id", strconv.Itoa(id), "$user", c.device.username(s.worker),
		"$job", s.job, "$en2", s.en2, "$ntime", s.time, "$nonce", s.nonce, "$version", s.version), now)
}

// tick hashes for a moment, and does what is due.
func (c *conversation) tick(now time.Time) error {
	p := &c.device.Profile
	switch {
	case !c.deadline.IsZero() && now.After(c.deadline):
		return c.fault("nothing to go on with in time")
	case p.Silence > 0 && now.Sub(c.alive) > c.device.limit(p.Silence):
		return c.fault("silent for %v", now.Sub(c.alive).Round(time.Second))
	case p.ChatEvery > 0 && now.After(c.chatAt) && c.outstanding == 0:
		c.chatAt = now.Add(p.ChatEvery)
		c.nextID++
		if err := c.say(c.fill(p.Chatter, "$id", strconv.Itoa(c.nextID-1)), now); err != nil {
			return err
		}
	}
	if c.following != nil && !now.Before(c.switchAt) {
		c.take(now)
	}
	if c.search == nil {
		return nil
	}

	var found []share
	hashes := int(c.device.Hashrate * pace.Seconds())
	c.search.grind(hashes, now, func(s share) { found = append(found, s) })
	c.device.note(func(s *Stats) { s.Hashes += uint64(hashes) })
	for _, s := range found {
		if err := c.submit(s, now); err != nil {
			return err
		}
	}
	return nil
}

// catchUp sends what the device found while it had no connection, which is
// worth something only to a pool that gave it the same extranonce1 again.
func (c *conversation) catchUp(now time.Time) error {
	d, last := c.device, c.device.last
	if d.Profile.Keeps == 0 || last == nil || !bytes.Equal(last.extranonce1, c.extranonce1) {
		return nil
	}
	alone := min(now.Sub(d.lostAt), d.Profile.Keeps)
	var found []share
	last.grind(int(d.Hashrate*alone.Seconds()), now, func(s share) { found = append(found, s) })
	d.note(func(s *Stats) { s.Kept += uint64(len(found)) })
	for _, s := range found {
		if err := c.submit(s, now); err != nil {
			return err
		}
	}
	return nil
}
