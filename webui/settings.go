package webui

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/dmpool/dmpool/pool"
)

// settingsView fills templates/settings.html.
type settingsView struct {
	Rev      int64
	Groups   []groupView
	Problems []settingProblem
	Saved    bool
}

// settingProblem is why nothing was saved, a sentence. Key is empty when it is of no
// one setting.
type settingProblem struct{ Key, Text string }

type groupView struct {
	ID     string
	Fields []fieldView
}

// fieldView is a field with what stands in it.
type fieldView struct {
	field
	Value   string
	Problem string // why this value does not do, a sentence
}

// Unit is what stands behind the field.
func (f fieldView) Unit() string { return f.unit.Suffix }

// InputMode tells phones which keyboard to show.
func (f fieldView) InputMode() string { return f.unit.Input }

// Options are what to choose from, none when it is typed.
func (f fieldView) Options() []string { return f.unit.Options }

// reviewView fills templates/review.html: what will change, before it does.
type reviewView struct {
	Rev     int64
	Changes []changeView
	Wrong   bool // the password was
}

// changeView is one setting that will change.
type changeView struct {
	field
	Before, After shownValue
	Value         string // as the form has it
	Grave         bool
}

func (s *site) settings(r *http.Request, _ caller) (any, error) {
	now, rev, err := s.box.Settings(r.Context())
	if err != nil {
		return nil, err
	}
	return newSettingsView(now, rev, r.URL.Query().Has("saved")), nil
}

func newSettingsView(now pool.Settings, rev int64, saved bool) *settingsView {
	v := &settingsView{Rev: rev, Saved: saved}
	for _, g := range settingsGroups() {
		view := groupView{ID: g.ID}
		for _, f := range g.Fields {
			view.Fields = append(view.Fields, fieldView{field: f, Value: f.unit.write(f.at(&now))})
		}
		v.Groups = append(v.Groups, view)
	}
	return v
}

// read takes what the form says into the settings. What it does not mention
// stays. The view remembers what was typed, and which of it does not do.
func (v *settingsView) read(form url.Values, into *pool.Settings) {
	for g := range v.Groups {
		for i := range v.Groups[g].Fields {
			f := &v.Groups[g].Fields[i]
			if !form.Has(f.Key) {
				continue
			}
			f.Value = cut(form.Get(f.Key), 1000)
			if err := f.unit.read(f.Value, f.at(into)); err != nil {
				f.Problem = asSentence(err)
				v.Problems = append(v.Problems, settingProblem{f.Key, f.Problem})
			}
		}
	}
}

// changes lists what differs.
func changes(was, is pool.Settings) (list []changeView, grave bool) {
	for _, g := range settingsGroups() {
		for _, f := range g.Fields {
			before, after := f.at(&was), f.at(&is)
			c := changeView{field: f, Before: f.show(before), After: f.show(after), Value: f.unit.write(after)}
			if f.unit.write(before) == c.Value {
				continue
			}
			c.Grave = f.grave != nil && f.grave(count(before), count(after))
			grave = grave || c.Grave
			list = append(list, c)
		}
	}
	return list, grave
}

// count is the number in a setting, 0 for one that has none.
func count(value any) int64 {
	switch n := value.(type) {
	case *int64:
		return *n
	case *int:
		return int64(*n)
	case *bool:
		if *n {
			return 1
		}
	}
	return 0
}

// changeSettings saves what was typed. Grave changes are first shown as they
// were and will be, and are saved when the same comes back with the password.
func (s *site) changeSettings(w http.ResponseWriter, r *http.Request, who caller) error {
	was, rev, err := s.box.Settings(r.Context())
	if err != nil {
		return err
	}
	sent, err := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
	if err != nil {
		return invalid("The form does not say what it changes. Open the settings again.")
	}
	if sent != rev {
		return stale(nil)
	}
	is, form := was, newSettingsView(was, rev, false)
	form.read(r.PostForm, &is)
	if len(form.Problems) == 0 {
		for _, text := range sentences(is.Validate()) {
			form.Problems = append(form.Problems, settingProblem{Text: text})
		}
		if s.locksOut(is, who) {
			form.Problems = append(form.Problems, settingProblem{"admin_from", lockedOut})
		}
	}
	if len(form.Problems) > 0 {
		return s.again(w, r, who, "settings", form)
	}
	list, grave := changes(was, is)
	if grave {
		asked, err := s.askAgain(w, r, who, reviewView{Rev: rev, Changes: list})
		if asked || err != nil {
			return err
		}
	}
	if len(list) > 0 {
		if err := s.box.ChangeSettings(r.Context(), rev, is, who.Operator, who.IP.String()); err != nil {
			return err
		}
	}
	http.Redirect(w, r, "/settings?saved", http.StatusSeeOther)
	return nil
}

// askAgain shows the review unless its form came back with the right password.
func (s *site) askAgain(w http.ResponseWriter, r *http.Request, who caller, v reviewView) (asked bool, err error) {
	if !r.PostForm.Has("password") {
		s.show(w, r, who, http.StatusOK, "review", v)
		return true, nil
	}
	right, err := s.proves(r, who)
	if right || err != nil {
		return false, err
	}
	v.Wrong = true
	s.show(w, r, who, http.StatusUnprocessableEntity, "review", v)
	return true, nil
}

// sentences takes an error of joined sentences apart.
func sentences(err error) []string {
	if err == nil {
		return nil
	}
	var list []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		list = append(list, asSentence(errors.New(line)))
	}
	return list
}
