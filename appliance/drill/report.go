package drill

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// How a step, or a whole drill, stands.
const (
	Waiting = "waiting" // its turn has not come
	Running = "running"
	Passed  = "pass"
	Failed  = "fail"
	NotRun  = "not-run" // a step before it failed
)

// Report is what came out of a drill, or how far one is.
type Report struct {
	ID      string    `json:"id"`      // made of when it began
	Version string    `json:"version"` // of DMPool
	Node    string    `json:"node"`    // the node's program with its version; empty before it answered
	Began   time.Time `json:"began"`
	Seconds float64   `json:"seconds"`
	Verdict string    `json:"verdict"` // Running, Passed or Failed
	Steps   []Step    `json:"steps"`
	Log     []string  `json:"log,omitempty"`  // of a drill that failed: the last warnings of its box
	Kept    string    `json:"kept,omitempty"` // its throw-away box, if somebody wanted to look at it
}

// Step is one thing that a drill does.
type Step struct {
	Name    string  `json:"name"`  // for programs and for the pages' words
	Title   string  `json:"title"` // for people
	State   string  `json:"state"`
	Seconds float64 `json:"seconds"`
	Seen    string  `json:"seen,omitempty"` // what came out, or why it failed: sentences
	Next    string  `json:"next,omitempty"` // what to do about a failure: a sentence
}

// idForm is how a report is named: by its beginning in UTC, so that names are in order.
const idForm = "20060102T150405Z"

// NewReport begins the report of a drill, all steps of which wait.
func NewReport(version string, began time.Time, steps []Step) Report {
	began = began.UTC().Truncate(time.Second)
	r := Report{ID: began.Format(idForm), Version: version, Began: began, Verdict: Running, Steps: slices.Clone(steps)}
	for i := range r.Steps {
		r.Steps[i].State = Waiting
	}
	return r
}

// Fail ends step i, and with it the drill: what comes after is not run.
func (r *Report) Fail(i int, why, next string) {
	r.Verdict = Failed
	r.Steps[i].State, r.Steps[i].Seen, r.Steps[i].Next = Failed, why, next
	for j := i + 1; j < len(r.Steps); j++ {
		r.Steps[j].State = NotRun
	}
}

// Failure is the step that failed, nil when none did.
func (r Report) Failure() *Step {
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.State == Failed })
	if i < 0 {
		return nil
	}
	return &r.Steps[i]
}

// Done counts the steps that passed.
func (r Report) Done() (n int) {
	for _, s := range r.Steps {
		if s.State == Passed {
			n++
		}
	}
	return n
}

// cutOff ends the report of a drill that could not end it itself.
func (r *Report) cutOff() {
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.State != Passed })
	if i < 0 {
		i = len(r.Steps) - 1
	}
	r.Fail(i, "The drill was cut off: this machine, or the pool, stopped in the middle of it.", "Begin the drill again.")
}

// Text is the report to be read, and to be printed.
func (r Report) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "DMPool fire drill of %s\n%s\n\n", r.Began.Format("2 January 2006, 15:04:05 MST"), r.about())
	for _, s := range r.Steps {
		b.WriteString(s.Line())
	}
	b.WriteString("\n" + r.Summary() + "\n" + r.Remains())
	return b.String()
}

// Remains is what else there is of the drill: lines, or nothing.
func (r Report) Remains() string {
	var b strings.Builder
	if r.Kept != "" {
		fmt.Fprintf(&b, "Its box was kept in %s.\n", r.Kept)
	}
	if len(r.Log) > 0 {
		fmt.Fprintf(&b, "\nThe last warnings in its log:\n  %s\n", strings.Join(r.Log, "\n  "))
	}
	return b.String()
}

func (r Report) about() string {
	if r.Node == "" {
		return "DMPool " + r.Version
	}
	return "DMPool " + r.Version + ", " + r.Node
}

// Ended tells whether there is more to come of the step.
func (s Step) Ended() bool { return s.State != Waiting && s.State != Running }

// Line is the step to be read, two lines or three.
func (s Step) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%-8s%s", s.State, s.Title)
	if s.State == Passed || s.State == Failed {
		fmt.Fprintf(&b, " (%.1f s)", s.Seconds)
	}
	b.WriteByte('\n')
	for _, text := range []string{s.Seen, s.Next} {
		if text != "" {
			fmt.Fprintf(&b, "        %s\n", text)
		}
	}
	return b.String()
}

// Summary is the verdict in a sentence.
func (r Report) Summary() string {
	switch f := r.Failure(); {
	case f != nil:
		return fmt.Sprintf("FAILED at the step %q, after %d of %d.", f.Title, r.Done(), len(r.Steps))
	case r.Verdict == Passed:
		return fmt.Sprintf("PASSED: all %d steps, in %.0f seconds.", len(r.Steps), r.Seconds)
	}
	return fmt.Sprintf("RUNNING: %d of %d steps are done.", r.Done(), len(r.Steps))
}
