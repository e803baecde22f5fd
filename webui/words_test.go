package webui

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template/parse"
)

var inEnglish = wordsOf(english)

func wordsOf(tag string) *words {
	all, err := loadWords()
	if err != nil {
		panic(err)
	}
	return all[tag]
}

// Every language has the same texts, with the same values and the same markup.
func TestLanguagesSayTheSame(t *testing.T) {
	marks := regexp.MustCompile(`\{[a-z_]+\}|</?[a-z]+[^>]*>`)
	marksOf := func(text string) []string {
		found := marks.FindAllString(text, -1)
		slices.Sort(found)
		return slices.Compact(found)
	}
	for _, l := range languages()[1:] {
		other := wordsOf(l.Tag)
		for key, m := range inEnglish.texts {
			their, ok := other.texts[key]
			if !ok {
				t.Errorf("%s has no %s", l.Tag, key)
				continue
			}
			if want, got := marksOf(m.Other), marksOf(their.Other); !slices.Equal(want, got) {
				t.Errorf("%s: %s has %v, English %v", key, l.Tag, got, want)
			}
			if m.One != "" && !slices.Equal(marksOf(m.One+"{n}"), marksOf(m.Other+"{n}")) {
				t.Errorf("%s: the forms differ in more than words", key)
			}
		}
		for key := range other.texts {
			if !inEnglish.has(key) {
				t.Errorf("%s has %s, English has not", l.Tag, key)
			}
		}
	}
}

// Every text that a template names is there, and none is there in vain.
func TestTextsAreUsed(t *testing.T) {
	used := map[string]bool{}
	for _, p := range parsedPages(t)[english] {
		for _, tmpl := range p.tmpl.Templates() {
			if tmpl.Tree != nil {
				keysIn(tmpl.Tree.Root, used)
			}
		}
	}
	code := sources(t)
	for key := range used {
		if !inEnglish.has(key) && !strings.HasSuffix(key, ".") {
			t.Errorf("a template wants %q, which is no text", key)
		}
	}
	for key := range inEnglish.texts {
		family := key[:strings.LastIndex(key, ".")+1]
		if !used[key] && !used[family] && !strings.Contains(code, `"`+key+`"`) && !strings.Contains(code, `"`+family+`"`) {
			t.Errorf("nobody uses %s", key)
		}
	}
}

func parsedPages(t *testing.T) pages {
	t.Helper()
	assets, err := loadAssets()
	if err != nil {
		t.Fatal(err)
	}
	all, err := loadWords()
	if err != nil {
		t.Fatal(err)
	}
	papers, err := parsePages(assets, all, plainStyle())
	if err != nil {
		t.Fatal(err)
	}
	return papers
}

// keysIn gathers the strings that are given to t; of a key that is put together,
// (print "page.state." .State), its beginning.
func keysIn(node parse.Node, used map[string]bool) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, child := range n.Nodes {
			keysIn(child, used)
		}
	case *parse.ActionNode:
		keysIn(n.Pipe, used)
	case *parse.IfNode:
		branch(&n.BranchNode, used)
	case *parse.RangeNode:
		branch(&n.BranchNode, used)
	case *parse.WithNode:
		branch(&n.BranchNode, used)
	case *parse.TemplateNode:
		keysIn(n.Pipe, used)
	case *parse.PipeNode:
		if n == nil {
			return
		}
		for _, c := range n.Cmds {
			keysIn(c, used)
		}
	case *parse.CommandNode:
		for _, arg := range n.Args {
			keysIn(arg, used)
		}
		if id, ok := n.Args[0].(*parse.IdentifierNode); ok && slices.Contains([]string{"t", "word", "badge", "maybe"}, id.Ident) && len(n.Args) > 1 {
			switch key := n.Args[1].(type) {
			case *parse.StringNode:
				used[key.Text] = true
			case *parse.PipeNode:
				if first := key.Cmds[0].Args; len(first) > 1 {
					if s, ok := first[1].(*parse.StringNode); ok {
						used[s.Text] = true
					}
				}
			}
		}
	}
}

func branch(n *parse.BranchNode, used map[string]bool) {
	keysIn(n.Pipe, used)
	keysIn(n.List, used)
	keysIn(n.ElseList, used)
}

// sources is the code of this package.
func sources(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(raw)
	}
	return all.String()
}

// A template holds markup and values; its text stands in the catalogues.
func TestTemplatesHoldNoText(t *testing.T) {
	files, err := fs.Glob(templateFS, "templates/*.html")
	if err != nil {
		t.Fatal(err)
	}
	action := regexp.MustCompile(`(?s)\{\{.*?\}\}`)
	tag := regexp.MustCompile(`(?s)<[^>]*>`)
	spoken := regexp.MustCompile(`(?:aria-label|title|alt|placeholder|data-label)="([^"]*)"`)
	letter := regexp.MustCompile(`\p{L}{2,}`)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".html")
		raw, err := fs.ReadFile(templateFS, file)
		if err != nil {
			t.Fatal(err)
		}
		bare := action.ReplaceAllString(string(raw), "")
		var texts []string
		for _, m := range spoken.FindAllStringSubmatch(bare, -1) {
			texts = append(texts, m[1])
		}
		texts = append(texts, strings.Split(tag.ReplaceAllString(bare, "\n"), "\n")...)
		i := slices.IndexFunc(texts, func(s string) bool {
			return letter.MatchString(s) && !slices.Contains(properNames(), strings.TrimSpace(s))
		})
		if i >= 0 {
			t.Errorf("%s holds the text %q", name, strings.TrimSpace(texts[i]))
		}
	}
}

// properNames are the same in every language.
func properNames() []string {
	return []string{
		"DMPool", "UTC", "CSV", "JSONL", "SHA-256", "dmpool passwd", "dmpool passwd --reset-second-factor", "dmpool passwd --user", "Bitcoin Core",
		"XXXXX-XXXXX", "http://127.0.0.1:8332", "/var/lib/bitcoind/.cookie", `curl -H "Authorization: Bearer "`,
	}
}

func TestTextForms(t *testing.T) {
	w := &words{Lang: english, texts: map[string]message{
		"x.miners": {One: "{n} miner <b>{name}</b>", Other: "{n} miners <b>{name}</b>"},
	}}
	for want, n := range map[string]int{"1 miner <b>&lt;i&gt;</b>": 1, "12,345 miners <b>&lt;i&gt;</b>": 12345} {
		if got, err := w.html("x.miners", "n", n, "name", "<i>"); err != nil || string(got) != want {
			t.Errorf("html = %q, %v, want %q", got, err, want)
		}
	}
	for name, pairs := range map[string][]any{
		"no such key": {"x.none"}, "value missing": {"x.miners", "n", 1}, "odd": {"x.miners", "n"},
	} {
		if _, err := w.html(pairs[0].(string), pairs[1:]...); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Each job and each check of the health has a name that people read.
func TestJobsAndChecksHaveNames(t *testing.T) {
	code := belowSources(t)
	for family, name := range map[string]*regexp.Regexp{
		"jobs.name.":   regexp.MustCompile(`job\{\{?"([a-z-]+)"|\n\t\t\{"([a-z-]+)", "[A-Z][^"]+", [^\n]*(?:Minute|Hour|Second|Every\(\)), (?:true|false), a\.`),
		"state.check.": regexp.MustCompile(`Check\{\s*Name: "([a-z]+)"`),
	} {
		found := name.FindAllStringSubmatch(code, -1)
		if len(found) < 5 {
			t.Errorf("%s: only %d in the code", family, len(found))
		}
		for _, m := range found {
			if key := family + strings.Join(m[1:], ""); !inEnglish.has(key) {
				t.Errorf("no text %s", key)
			}
		}
	}
}
