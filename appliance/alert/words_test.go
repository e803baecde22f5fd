package alert

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func same(s string) string { return s }

// Both languages have the same texts with the same values.
func TestLanguagesAgree(t *testing.T) {
	all, err := LoadPhrases()
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile(`\{[a-z]+\}`)
	en, zh := all[english].texts, all["zh-Hans"].texts
	for _, key := range slices.Sorted(maps.Keys(en)) {
		other, ok := zh[key]
		if !ok {
			t.Errorf("%s is not there in Chinese", key)
			continue
		}
		want, got := field.FindAllString(en[key], -1), field.FindAllString(other, -1)
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s has the values %v in English and %v in Chinese", key, want, got)
		}
		if (en[key] == "") != (other == "") {
			t.Errorf("%s is empty in one language only", key)
		}
	}
	for key := range zh {
		if _, ok := en[key]; !ok {
			t.Errorf("%s is there in Chinese only", key)
		}
	}
}

// What each rule tells of its case has all its values, in both languages, and no full
// address unless that is wanted.
func TestEachCaseInWords(t *testing.T) {
	all, err := LoadPhrases()
	if err != nil {
		t.Fatal(err)
	}
	const address = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
	for _, k := range Kinds() {
		s := fine()
		cases()[k.Type](&s)
		list, _ := k.judge(ruleOf(k), s)
		a := Alert{Type: k.Type, Lasting: k.Lasting, Count: 1}
		for _, c := range news(list) {
			a.About = append(a.About, About{Subject: c.Subject, Detail: c.Detail})
		}
		for lang, w := range all {
			title, lines, next := w.Title(a), w.lines(a, false, same), w.next(a, same)
			text := strings.Join(append(lines, title, next, w.overTitle(a), w.texts[k.Type+".name"], w.texts[k.Type+".about"]), "\n")
			if title == "" || len(lines) != 1 || w.texts[k.Type+".name"] == "" || w.texts[k.Type+".about"] == "" {
				t.Errorf("%s in %s says nothing: %q", k.Type, lang, text)
			}
			if strings.ContainsAny(text, "{}") {
				t.Errorf("%s in %s lacks a value: %s", k.Type, lang, text)
			}
			if strings.Contains(text, address) {
				t.Errorf("%s in %s tells an address in full", k.Type, lang)
			}
			if k.Tells != (w.texts[k.Type+".over"] != "") && k.Lasting && k.Tells {
				t.Errorf("%s in %s has no words for its end", k.Type, lang)
			}
			full := strings.Join(w.lines(a, true, same), "\n")
			if strings.Contains(w.texts[k.Type+".line"], "{address}") && !strings.Contains(full, address) {
				t.Errorf("%s in %s does not tell the address: %s", k.Type, lang, full)
			}
			a.Count = 3
			if many := w.Title(a); strings.ContainsAny(many, "{}") {
				t.Errorf("%s in %s of several: %s", k.Type, lang, many)
			}
			a.Count = 1
		}
	}
}

// What strangers call themselves stays in its line.
func TestHostileNames(t *testing.T) {
	all, _ := LoadPhrases()
	a := Alert{Type: WorkerOffline, Count: 1, About: []About{{Detail: map[string]string{
		"worker": "rig\r\nBcc: all@example.org\u202e" + strings.Repeat("x", 100), "address": "bc1q", "minutes": "12",
	}}}}
	title := all[english].Title(a)
	if strings.ContainsAny(title, "\r\n\u202e") || len(title) > 80 {
		t.Errorf("title %q", title)
	}
}

func TestFigures(t *testing.T) {
	for got, want := range map[string]string{
		count(312500000): "312,500,000", count(999): "999", count(-1000): "-1,000",
		hashrate(1.214e12): "1.21 TH/s", hashrate(0): "0 H/s", hashrate(950): "950 H/s", hashrate(12.34e9): "12.3 GH/s", hashrate(999.7e9): "1.00 TH/s",
		scale(131): "131", short("bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"): "bc1qar0s…wf5mdq", short("worker"): "worker",
		plain("a\nb", 9): "a\ufffdb", plain("abcdef", 3): "abc…", cut("one\ntwo\nthree", 9): "one\n…",
		figure(0.5): "0.5", sentence("no"): "No.", sentence(""): "",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
