package alert

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Rule says what is watched for, and whom to tell.
type Rule struct {
	Key       string // its type, of a rule that the program has; else own-1, own-2 …
	Type      string
	Name      string // the operators' words; empty: the program's for the type
	Level     Level
	Enabled   bool
	Urgent    bool    // quiet hours do not hold it back
	Threshold float64 // in the unit of its kind
	Minutes   int     // for so long it has to be so
	Cooldown  int     // minutes until the same is told again
	Channels  []int64 // who is told; nil: all
}

// Own tells whether the operators have made the rule.
func (r Rule) Own() bool { return r.Key != r.Type }

// hold is for how long a condition has to be so.
func (r Rule) hold() time.Duration { return time.Duration(r.Minutes) * time.Minute }

func (r Rule) cooldown() time.Duration { return time.Duration(r.Cooldown) * time.Minute }

// tells reports whether the rule goes to a channel.
func (r Rule) tells(channel int64) bool {
	return r.Channels == nil || slices.Contains(r.Channels, channel)
}

// Error says why a rule, a channel or a policy cannot be: a sentence for people.
type Error struct{ Err error }

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the sentence.
func (e *Error) Unwrap() error { return e.Err }

// refuse makes an [*Error].
func refuse(format string, args ...any) error { return &Error{fmt.Errorf(format, args...)} }

// ErrNotFound says that there is no such alert, rule or channel, or not any more.
var ErrNotFound = errors.New("there is no such alert, rule or channel")

// Bounds of rules.
const (
	maxName    = 60
	maxMinutes = 60 * 24 * 30
	maxOwn     = 50 // rules of the operators' own
)

// check completes a rule that an operator has typed: what its kind does not have is
// as the program has it.
func (r Rule) check() (Rule, error) {
	kind, ok := KindOf(r.Type)
	if !ok {
		return r, refuse("there is no type of rules called %q", r.Type)
	}
	r.Name = strings.TrimSpace(r.Name)
	var problems []error
	complain := func(when bool, format string, args ...any) {
		if when {
			problems = append(problems, fmt.Errorf(format, args...))
		}
	}
	complain(!oneLine(r.Name, maxName), "the name is one line of at most %d characters", maxName)
	complain(r.Own() && r.Name == "", "a rule of your own needs a name")
	complain(!r.Level.valid(), "the level is info, warning or critical")
	if kind.Unit == "" {
		r.Threshold = kind.Default.Threshold
	}
	complain(kind.Unit != "" && (math.IsNaN(r.Threshold) || r.Threshold < kind.Least || r.Threshold > kind.Most),
		"the threshold is between %s and %s", figure(kind.Least), figure(kind.Most))
	if !kind.Minutes {
		r.Minutes = kind.Default.Minutes
	}
	if !kind.Again {
		r.Cooldown = kind.Default.Cooldown
	}
	complain(r.Minutes < 0 || r.Minutes > maxMinutes || kind.Minutes && r.Minutes < 1, "the time is between 1 and %d minutes", maxMinutes)
	complain(r.Cooldown < 0 || r.Cooldown > maxMinutes, "the cool-down is between 0 and %d minutes", maxMinutes)
	if err := errors.Join(problems...); err != nil {
		return r, &Error{err}
	}
	return r, nil
}

// oneLine tells whether text is one line of characters that can be seen, and not
// longer than limit.
func oneLine(text string, limit int) bool {
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= limit &&
		!strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}
