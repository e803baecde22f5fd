package webui

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"
)

// locales holds one folder of catalogues for each language, and in it one file
// for each page or part. The keys of a file begin with its name.
//
//go:embed locales
var localeFS embed.FS

// words are the texts of the window in one language. Templates reach them as
// {{t "key" "name" value …}}; what the floors below say in English sentences, as
// {{say .Reason}}.
type words struct {
	Lang    string // BCP 47, for <html lang>
	Name    string // what the language calls itself
	texts   map[string]message
	script  string // the texts of static/app.js, as JSON
	phrases phrasebook
	style   style
	zone    *time.Location // of style
}

// message is one text. {name} stands for a value, and markup is markup. English
// has two forms where a number {n} decides; other languages need not.
type message struct{ One, Other string }

// UnmarshalJSON reads a text, or its two forms {"one": …, "other": …}.
func (m *message) UnmarshalJSON(raw []byte) error {
	if err := json.Unmarshal(raw, &m.Other); err == nil {
		return nil
	}
	var forms struct{ One, Other string }
	if err := json.Unmarshal(raw, &forms); err != nil {
		return fmt.Errorf("a text is a string or has the forms one and other: %w", err)
	}
	*m = message(forms)
	return nil
}

// The languages, the first being the one that everything falls back to.
const (
	english = "en"
	chinese = "zh-Hans"
)

// language is one that a reader can choose.
type language struct{ Tag, Name string }

func languages() []language { return []language{{english, "English"}, {chinese, "中文"}} }

// sentencesFile is the catalogue of what the floors below say.
const sentencesFile = "sentences.json"

// loadWords reads every catalogue.
func loadWords() (map[string]*words, error) {
	all := map[string]*words{}
	for _, l := range languages() {
		w := &words{Lang: l.Tag, Name: l.Name, texts: map[string]message{}, style: plainStyle(), zone: time.UTC}
		files, err := fs.Glob(localeFS, path.Join("locales", l.Tag, "*.json"))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if err := w.read(file); err != nil {
				return nil, fmt.Errorf("read %s: %w", file, err)
			}
		}
		if w.script, err = w.ofScript(); err != nil {
			return nil, err
		}
		all[l.Tag] = w
	}
	return all, nil
}

// ofScript gathers what static/app.js says: its own texts, and those with which
// it writes times as the server does.
func (w *words) ofScript() (string, error) {
	texts := map[string]string{}
	for key, m := range w.texts {
		name, ok := strings.CutPrefix(key, "script.")
		if !ok {
			name, ok = strings.CutPrefix(key, "format.")
		}
		if ok {
			texts[name] = m.Other
		}
	}
	raw, err := json.Marshal(texts)
	return string(raw), err
}

func (w *words) read(file string) error {
	raw, err := fs.ReadFile(localeFS, file)
	if err != nil {
		return err
	}
	if path.Base(file) == sentencesFile {
		var said map[string]string
		if err := json.Unmarshal(raw, &said); err != nil {
			return err
		}
		w.phrases, err = newPhrasebook(said)
		return err
	}
	var texts map[string]message
	if err := json.Unmarshal(raw, &texts); err != nil {
		return err
	}
	prefix := strings.TrimSuffix(path.Base(file), ".json") + "."
	for key, m := range texts {
		if !strings.HasPrefix(key, prefix) {
			return fmt.Errorf("the key %q does not begin with %q", key, prefix)
		}
		w.texts[key] = m
	}
	return nil
}

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

// html fills the text of key with pairs of names and values. Values are escaped
// unless they are template.HTML; integers are grouped. A key or a value that is
// missing is an error, which tests find before people do.
func (w *words) html(key string, pairs ...any) (template.HTML, error) {
	text, err := w.fill(key, pairs, func(v any) string {
		if html, ok := v.(template.HTML); ok {
			return string(html)
		}
		return template.HTMLEscapeString(shown(v))
	})
	return template.HTML(text), err
}

// text is html for a text without markup, such as a heading of a CSV file.
func (w *words) text(key string, pairs ...any) (string, error) { return w.fill(key, pairs, shown) }

func (w *words) fill(key string, pairs []any, write func(any) string) (string, error) {
	m, ok := w.texts[key]
	if !ok {
		return "", fmt.Errorf("no text %q in %s", key, w.Lang)
	}
	values := map[string]any{}
	for pair := range slices.Chunk(pairs, 2) {
		name, ok := pair[0].(string)
		if !ok || len(pair) != 2 {
			return "", fmt.Errorf("text %q: values come in pairs of name and value", key)
		}
		values[name] = pair[1]
	}
	text := m.Other
	if m.One != "" && fmt.Sprint(values["n"]) == "1" {
		text = m.One
	}
	var missing error
	text = placeholder.ReplaceAllStringFunc(text, func(field string) string {
		v, ok := values[field[1:len(field)-1]]
		if !ok {
			missing = fmt.Errorf("text %q wants %s", key, field)
		}
		return write(v)
	})
	return text, missing
}

// has tells whether there is a text for key.
func (w *words) has(key string) bool {
	_, ok := w.texts[key]
	return ok
}

// must is text for keys that the code itself names; a test sees to it that they
// are there.
func (w *words) must(key string, pairs ...any) string {
	text, err := w.text(key, pairs...)
	if err != nil {
		panic(err)
	}
	return text
}

// shown writes a value as it stands in a sentence.
func shown(v any) string {
	if digits, err := numberOf(v); err == nil {
		return digits
	}
	return fmt.Sprint(v)
}
