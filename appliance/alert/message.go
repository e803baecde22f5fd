package alert

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Message is what a channel is sent: news of one alert or of several.
type Message struct {
	Box   string // as its pages call it
	At    time.Time
	Title string
	Text  string // plain text of several lines
	Level Level  // of the worst
	Test  bool
	Items []Item
}

// Item is news of one alert.
type Item struct {
	Alert Alert
	News  string // raised or over
	Title string
	Lines []string // one for each thing that it is about, and perhaps one for those left out
	Next  string   // what to do, a sentence; empty: nothing
}

// spelled is how many things of an alert, and told how many alerts of a message, are
// told each by itself.
const spelled, told = 10, 20

// message puts news into words. What is news of the same alert twice, because it waited,
// is told once: how it ended.
func (b *Bell) message(ctx context.Context, p Policy, news []Delivery) (Message, error) {
	latest := map[int64]Delivery{}
	var order []int64
	for _, d := range news { // the oldest first
		if _, twice := latest[d.Alert]; !twice {
			order = append(order, d.Alert)
		}
		latest[d.Alert] = d
	}
	m := Message{Box: b.config.Box(), At: b.now(), Level: Info}
	words := b.words[p.Language]
	for _, id := range order {
		found, err := b.alerts(ctx, selectAlert+`WHERE id = ?`, id)
		if err != nil {
			return m, err
		}
		for _, a := range found {
			m.Items = append(m.Items, b.item(words, p.FullAddresses, a, latest[id].News))
			if a.Level.rank() > m.Level.rank() {
				m.Level = a.Level
			}
		}
	}
	slices.SortStableFunc(m.Items, func(x, y Item) int { return y.Alert.Level.rank() - x.Alert.Level.rank() })
	m.Title = words.fill("message.several", map[string]string{"n": fmt.Sprint(len(m.Items)), "title": ""})
	if len(m.Items) == 1 {
		m.Title = m.Items[0].Title
	}
	m.Text = b.text(words, m)
	return m, nil
}

func (b *Bell) item(w words, full bool, a Alert, news string) Item {
	i := Item{Alert: a, News: news, Title: w.Title(a), Lines: w.lines(a, full, b.say(w.lang))}
	if news == newsOver {
		i.Title = w.overTitle(a)
		i.Lines = nil
	} else {
		i.Next = w.next(a, b.say(w.lang))
	}
	return i
}

// say translates what the floors below say in English.
func (b *Bell) say(language string) func(string) string {
	return func(sentence string) string {
		if b.config.Say == nil || sentence == "" {
			return sentence
		}
		return b.config.Say(language, sentence)
	}
}

// text writes a message as paragraphs.
func (b *Bell) text(w words, m Message) string {
	var parts []string
	for n, i := range m.Items {
		if n == told {
			parts = append(parts, w.fill("message.more", map[string]string{"n": fmt.Sprint(len(m.Items) - told)}))
			break
		}
		var lines []string
		if len(m.Items) > 1 {
			lines = append(lines, i.Title)
		}
		lines = append(lines, i.Lines...)
		if i.Next != "" {
			lines = append(lines, i.Next)
		}
		parts = append(parts, strings.Join(append(lines, b.times(w, i)), "\n"))
	}
	return strings.Join(parts, "\n\n")
}

// times says when an alert was, in the zone of the settings.
func (b *Bell) times(w words, i Item) string {
	const layout = "2006-01-02 15:04"
	zone := b.config.Zone()
	from := i.Alert.RaisedAt.In(zone).Format(layout)
	if i.News == newsOver && i.Alert.Over() {
		return w.fill("message.span", map[string]string{"from": from, "to": i.Alert.OverAt.In(zone).Format(layout)})
	}
	return w.fill("message.at", map[string]string{"at": from})
}

// testMessage is what the test button sends.
func (b *Bell) testMessage(p Policy) Message {
	w := b.words[p.Language]
	return Message{
		Box: b.config.Box(), At: b.now(), Level: Info, Test: true,
		Title: w.fill("message.test", nil), Text: w.fill("message.test_text", nil),
	}
}

// cut shortens text to at most limit bytes at the end of a line, and says so.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	end := strings.LastIndexByte(text[:limit-len("\n…")], '\n')
	if end < 0 {
		end = 0
	}
	return text[:end] + "\n…"
}
