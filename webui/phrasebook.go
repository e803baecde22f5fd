package webui

import (
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// phrasebook says in another language what the floors below say in English. They
// know nothing of languages, and some of what they say is read from the books
// long after it was said: so a sentence is known again by the format that made
// it, such as "The node is at block %d.". A part of a sentence stands in the book
// without its capital letter and full stop, and may be said with them. What is not
// in the book stays English and is marked as such for screen readers.
type phrasebook map[string][]phrase // by the first letter, so that few are tried

// phrase is one format with its translation, in which %[1]s is the first value
// of the original.
type phrase struct {
	said  *regexp.Regexp
	means string
	fixed int // letters that the format itself says
}

var verb = regexp.MustCompile(`%(\[\d+\])?[-+# 0]*[\d.]*[a-zA-Z]|%%`)

// newPhrasebook compiles a catalogue of English formats.
func newPhrasebook(said map[string]string) (phrasebook, error) {
	book := phrasebook{}
	for format, means := range said {
		p := phrase{means: means}
		var pattern strings.Builder
		pattern.WriteString(`(?s)^`)
		rest := 0
		if first := initial(format); first != "" {
			pattern.WriteString(`(?i:` + regexp.QuoteMeta(first) + `)`)
			rest = len(first)
		}
		for _, at := range verb.FindAllStringIndex(format, -1) {
			pattern.WriteString(regexp.QuoteMeta(format[rest:at[0]]))
			p.fixed += at[0] - rest
			if format[at[0]:at[1]] == "%%" {
				pattern.WriteString("%")
			} else {
				pattern.WriteString(`(.+?)`)
			}
			rest = at[1]
		}
		pattern.WriteString(regexp.QuoteMeta(format[rest:]))
		p.fixed += len(format) - rest
		pattern.WriteString(`(\.?)$`)
		re, err := regexp.Compile(pattern.String())
		if err != nil {
			return nil, fmt.Errorf("sentence %q: %w", format, err)
		}
		p.said = re
		first := initial(format)
		book[first] = append(book[first], p)
	}
	for _, list := range book {
		slices.SortFunc(list, func(a, b phrase) int { return b.fixed - a.fixed }) // the most particular first
	}
	return book, nil
}

// initial is the first letter of a format or a sentence, in lower case: a
// sentence may stand in the middle of another. "" for a format that begins with
// a value.
func initial(s string) string {
	if s == "" || s[0] == '%' {
		return ""
	}
	return strings.ToLower(s[:1])
}

// fullStop ends a sentence in the languages that the book is for.
const fullStop = "。"

// depth bounds sentences within sentences.
const depth = 4

// find translates s as a whole.
func (b phrasebook) find(s string, left int) (string, bool) {
	if left == 0 || s == "" {
		return "", false
	}
	for _, list := range [][]phrase{b[initial(s)], b[""]} {
		for _, p := range list {
			m := p.said.FindStringSubmatch(s)
			if m == nil || slices.ContainsFunc(m[1:], sentenceEnd.MatchString) { // a value ends with its sentence
				continue
			}
			end := len(m) - 1
			said := p.speak(m[1:end], func(value string) string {
				if inner, ok := b.find(value, left-1); ok {
					return inner
				}
				return value
			})
			if m[end] != "" && !strings.HasSuffix(said, fullStop) {
				said += fullStop
			}
			return said, true
		}
	}
	return "", false
}

var slot = regexp.MustCompile(`%(?:\[(\d+)\])?[a-z]|%%`)

// speak puts the values into the translation.
func (p phrase) speak(values []string, translate func(string) string) string {
	next := 0
	return slot.ReplaceAllStringFunc(p.means, func(field string) string {
		if field == "%%" {
			return "%"
		}
		at := next
		if m := slot.FindStringSubmatch(field); m[1] != "" {
			n, _ := strconv.Atoi(m[1])
			at = n - 1
		}
		next = at + 1
		if at >= len(values) {
			return ""
		}
		return translate(values[at])
	})
}

// sentenceEnd is where one sentence ends and the next begins.
var sentenceEnd = regexp.MustCompile(`[.!?] `)

// say translates what a floor below says, by as many sentences at a time as the
// book knows together.
func (w *words) say(v any) template.HTML {
	return template.HTML(w.translate(fmt.Sprint(v), template.HTMLEscapeString, func(text string) string {
		return fmt.Sprintf(`<span lang="en">%s</span> `, template.HTMLEscapeString(text))
	}))
}

// sayText is say as plain text.
func (w *words) sayText(said string) string {
	return w.translate(said, func(text string) string { return text }, func(text string) string { return text + " " })
}

// Translator returns what says English sentences of the box in another language of the
// pages, for what the box sends by itself.
func Translator() (func(language, sentence string) string, error) {
	all, err := loadWords()
	if err != nil {
		return nil, fmt.Errorf("load texts: %w", err)
	}
	return func(language, sentence string) string {
		if w, ok := all[language]; ok {
			return w.sayText(sentence)
		}
		return sentence
	}, nil
}

// translate puts together what the book knows, as known writes it, and what it does not
// know, as foreign does.
func (w *words) translate(said string, known, foreign func(string) string) string {
	if w.Lang == english || said == "" {
		return known(legible(said))
	}
	var out strings.Builder
	for rest := said; rest != ""; {
		ends := []int{len(rest)}
		for _, at := range sentenceEnd.FindAllStringIndex(rest, -1) {
			ends = append(ends, at[1])
		}
		slices.SortFunc(ends, func(a, b int) int { return b - a }) // the longest first
		piece := rest[:ends[len(ends)-1]]
		found := ""
		for _, end := range ends {
			if text, ok := w.phrases.find(strings.TrimSpace(rest[:end]), depth); ok {
				piece, found = rest[:end], text
				break
			}
		}
		rest = rest[len(piece):]
		if found != "" {
			out.WriteString(known(legible(found)))
		} else {
			out.WriteString(foreign(legible(strings.TrimSpace(piece))))
		}
	}
	return strings.TrimSpace(out.String())
}

// longFigure is an amount or a block number in a sentence.
var longFigure = regexp.MustCompile(`\b([1-9]\d{3,}) (?:sats?\b([^/]|$)|聪)|((?:[Bb]locks?|[Hh]eight|have:|of|区块|高度|/) |区块：)([1-9]\d{4,})\b`)

// legible writes the figures of a sentence from below as the pages write theirs:
// "100,000 sats", "block 925,001".
func legible(said string) string {
	return longFigure.ReplaceAllStringFunc(said, func(figure string) string {
		m := longFigure.FindStringSubmatch(figure)
		switch {
		case m[4] != "":
			return m[3] + grouped(m[4])
		case strings.HasSuffix(figure, "聪"):
			return grouped(m[1]) + " 聪"
		}
		return grouped(m[1]) + " sats" + m[2]
	})
}
