package alert

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// texts has one file for each language. Of a type, a file has
//
//	TYPE.name    what the rule is called
//	TYPE.about   what it watches for, a sentence for the page of rules
//	TYPE.title   one thing; TYPE.many of several, with their number {n}
//	TYPE.line    one thing in a sentence
//	TYPE.next    what to do; empty: nothing
//	TYPE.over    that it is over
//
// Of title, line and over there may be another one, TYPE.line.AS, see detailAs. {name} stands for a detail of the condition.
//
//go:embed texts/*.json
var texts embed.FS

const english = "en"

// Languages are those that messages can be in.
func Languages() []string { return []string{english, "zh-Hans"} }

// words are the texts of one language.
type words struct {
	lang  string
	texts map[string]string
}

// Phrases are the texts of alerts in all languages.
type Phrases map[string]words

// LoadPhrases reads the texts.
func LoadPhrases() (Phrases, error) {
	all := Phrases{}
	for _, lang := range Languages() {
		raw, err := texts.ReadFile(path.Join("texts", lang+".json"))
		if err != nil {
			return nil, err
		}
		w := words{lang: lang, texts: map[string]string{}}
		if err := json.Unmarshal(raw, &w.texts); err != nil {
			return nil, fmt.Errorf("read texts of alerts in %s: %w", lang, err)
		}
		all[lang] = w
	}
	return all, nil
}

// fill puts values into a text.
func (w words) fill(key string, values map[string]string) string {
	text := w.texts[key]
	if !strings.Contains(text, "{") {
		return text
	}
	var pairs []string
	for name, value := range values {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// detail completes what the sentences say: how a miner is called, and sentences of the
// floors below in the language.
func (w words) detail(d map[string]string, full bool, say func(string) string) map[string]string {
	out := map[string]string{}
	for name, value := range d {
		out[name] = value
	}
	if address, ok := d["address"]; ok {
		if !full {
			out["address"] = short(address)
		}
		out["who"] = w.who(d)
	}
	if hash := d["hash"]; hash != "" && !full {
		out["hash"] = short(hash)
	}
	for _, name := range []string{detailReason, detailNext} {
		if text, ok := d[name]; ok {
			out[name] = plain(say(text), 500)
		}
	}
	return out
}

// who is how a worker is called: as the operators do, or by its own name.
func (w words) who(d map[string]string) string {
	switch {
	case d["label"] != "":
		return plain(d["label"], 40)
	case d["worker"] != "":
		return plain(d["worker"], 40)
	}
	return w.texts["message.nameless"]
}

// first is the detail of the first thing that an alert is about.
func (a Alert) first() map[string]string {
	if len(a.About) == 0 {
		return nil
	}
	return a.About[0].Detail
}

// Title is what an alert says in a few words, with the operators' name for its rule.
func (w words) Title(a Alert) string {
	d := w.detail(a.first(), false, func(s string) string { return s })
	title := w.phrase(a.Type+".title", d)
	if many := w.texts[a.Type+".many"]; a.Count > 1 && many != "" {
		title = w.fill(a.Type+".many", map[string]string{"n": strconv.Itoa(a.Count)})
	}
	return named(a, title)
}

func (w words) overTitle(a Alert) string {
	d := w.detail(a.first(), false, func(s string) string { return s })
	over := w.phrase(a.Type+".over", d)
	if a.Count > 1 {
		over = w.fill("message.over_many", map[string]string{"title": w.Title(a)})
		return over
	}
	return named(a, over)
}

func named(a Alert, title string) string {
	if a.Name == "" {
		return title
	}
	return plain(a.Name, maxName) + ": " + title
}

// lines says of each thing that an alert is about what is the matter; of many, of the
// first ones.
func (w words) lines(a Alert, full bool, say func(string) string) []string {
	var lines []string
	for n, about := range a.About {
		if n == spelled {
			break
		}
		if line := strings.TrimSpace(w.phrase(a.Type+".line", w.detail(about.Detail, full, say))); line != "" {
			lines = append(lines, line)
		}
	}
	if a.Count > spelled {
		lines = append(lines, w.fill("message.others", map[string]string{"n": strconv.Itoa(a.Count - spelled)}))
	}
	return lines
}

// phrase fills the text of which there may be several.
func (w words) phrase(key string, d map[string]string) string {
	if as := key + "." + d[detailAs]; w.texts[as] != "" {
		key = as
	}
	return w.fill(key, d)
}

// next says what to do: what the floor below advises, or what the type does.
func (w words) next(a Alert, say func(string) string) string {
	if advice := a.first()[detailNext]; advice != "" {
		return plain(say(advice), 500)
	}
	return w.fill(a.Type+".next", w.detail(a.first(), false, say))
}

// Told is an alert in the words of a language.
type Told struct {
	Title string
	Over  string   // that it is over; empty while it is not, and of what happened
	Lines []string // what is the matter, a sentence for each thing
	Next  string   // what to do
}

// in returns the words of a language, or the English ones.
func (p Phrases) in(language string) words {
	if w, ok := p[language]; ok {
		return w
	}
	return p[english]
}

// Tell puts an alert into words, for the pages. say translates English sentences.
func (p Phrases) Tell(language string, a Alert, say func(string) string) Told {
	w := p.in(language)
	t := Told{Title: w.Title(a), Lines: w.lines(a, false, say), Next: w.next(a, say)}
	if a.Lasting && a.Over() {
		t.Over = w.overTitle(a)
	}
	return t
}

// Title is what an alert says in a few words.
func (p Phrases) Title(language string, a Alert) string { return p.in(language).Title(a) }

// Rule is the name and the purpose of a type of rules.
func (p Phrases) Rule(language, kind string) (name, about string) {
	w := p.in(language)
	return w.texts[kind+".name"], w.texts[kind+".about"]
}
