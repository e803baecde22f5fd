package webui

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What the floors below write for people to read comes from a few places: fields and
// functions of these names, and errors of the kinds that pages show.
var (
	spokenFields = []string{"Reason", "NextStep", "Text", "Next", "Notice", "Sentence", "Message", "Advice", "Problem", "Result"}
	spokenCalls  = []string{"refuse", "complain", "warn", "refused", "invalid", "absent", "end", "away", "explain", "errand"}
	spokenErrors = regexp.MustCompile(`^(Wallet|Core|Person|Settings|Miner|Snapshot)Error$`)
)

// unspoken are formats that look like sentences for a page and are none.
func unspoken() []string {
	return []string{
		// These go on in a sentence that is in the catalogue as a whole (pool/node/guard).
		"has %d bytes; those of Bitcoin have %d.",
		"is marked as one of another proof of work (version bit 31).",
		"has the SHA-256 hash %s.",
		"has no proof of work that is valid on %s.",
		// These are the API's, which stays English.
		"The pool is not set up yet. Open %s/setup in a browser.",
		"The pool is not set up yet.",
		"Open %s/setup in a browser; dmpool claim-code prints the code that it asks for.",
	}
}

// ofAPI tells the files of this package that answer programs only.
func ofAPI(path string) bool { return strings.HasPrefix(path, "api") }

// Each sentence that the floors below write for people is in the Chinese catalogue.
func TestSentencesAreTranslated(t *testing.T) {
	w := wordsOf(chinese)
	found := 0
	for _, f := range spokenFormats(t) {
		found++
		text := strings.TrimSpace(ending.ReplaceAllString(f.text, "$2"))
		if text == "" || slices.Contains(unspoken(), f.text) {
			continue
		}
		if strings.Contains(string(w.say(sample(text))), `lang="en"`) {
			t.Errorf("%s: not in %s: %q", f.at, sentencesFile, f.text)
		}
	}
	if found < 100 {
		t.Errorf("found %d sentences only: they come from elsewhere now", found)
	}
}

// ending is a whole sentence that somebody else made.
var ending = regexp.MustCompile(`(^ ?|([.!?]) )%[svw]\.?$`)

// sample is a sentence that a format makes.
func sample(format string) string {
	return verb.ReplaceAllStringFunc(format, func(v string) string {
		switch v[len(v)-1] {
		case '%':
			return "%"
		case 'q':
			return `"7x"`
		case 's', 'v', 'w':
			return "7x"
		}
		return "7"
	})
}

// spokenFormat is a format and where it stands.
type spokenFormat struct{ text, at string }

func spokenFormats(t *testing.T) (all []spokenFormat) {
	t.Helper()
	for _, root := range []string{"../pool", "../appliance", "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || ofAPI(path) {
				return err
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				for _, e := range spokenIn(n) {
					if text, ok := formatOf(e); ok && strings.Contains(text, " ") {
						all = append(all, spokenFormat{text, files.Position(e.Pos()).String()})
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// spokenIn are the expressions of a node that people read.
func spokenIn(n ast.Node) (list []ast.Expr) {
	switch n := n.(type) {
	case *ast.KeyValueExpr:
		if slices.Contains(spokenFields, calledBy(n.Key)) {
			list = append(list, n.Value)
		}
	case *ast.AssignStmt:
		for i, left := range n.Lhs {
			if _, field := left.(*ast.SelectorExpr); field && i < len(n.Rhs) && slices.Contains(spokenFields, calledBy(left)) {
				list = append(list, n.Rhs[i])
			}
		}
	case *ast.CallExpr:
		if slices.Contains(spokenCalls, calledBy(n.Fun)) {
			list = append(list, n.Args...)
		}
	case *ast.FuncDecl:
		if isJob(n.Type) {
			list = append(list, firstReturned(n.Body)...)
		}
	case *ast.CompositeLit:
		if spokenErrors.MatchString(calledBy(n.Type)) {
			for _, e := range n.Elts {
				if _, named := e.(*ast.KeyValueExpr); !named {
					list = append(list, e)
				}
			}
		}
	}
	return list
}

// isJob tells the functions that jobs run, which answer what came of it.
func isJob(f *ast.FuncType) bool {
	if len(f.Params.List) != 1 || f.Results == nil || len(f.Results.List) != 2 {
		return false
	}
	return calledBy(f.Params.List[0].Type) == "Context" && calledBy(f.Results.List[0].Type) == "string" && calledBy(f.Results.List[1].Type) == "error"
}

func firstReturned(body *ast.BlockStmt) (list []ast.Expr) {
	ast.Inspect(body, func(n ast.Node) bool {
		if r, ok := n.(*ast.ReturnStmt); ok && len(r.Results) == 2 {
			list = append(list, r.Results[0])
		}
		return true
	})
	return list
}

// calledBy is the last part of a name, empty for what is none.
func calledBy(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// formatOf is the text of an expression: a constant, or what fmt and errors make of
// one.
func formatOf(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.BinaryExpr:
		left, ok := formatOf(e.X)
		right, also := formatOf(e.Y)
		switch {
		case e.Op != token.ADD || !ok && !also:
			return "", false
		case !ok:
			left = "%s"
		case !also:
			right = "%s"
		}
		return left + right, true
	case *ast.CallExpr:
		if name := calledBy(e.Fun); len(e.Args) > 0 && (name == "Sprintf" || name == "Errorf" || name == "New") {
			return formatOf(e.Args[0])
		} else if len(e.Args) > 0 && name == "Or" {
			return formatOf(e.Args[len(e.Args)-1])
		}
	}
	return "", false
}
