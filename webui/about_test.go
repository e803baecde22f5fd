package webui

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The licences are those of the modules that are linked into the program, and each
// is of a kind that we know.
func TestLicences(t *testing.T) {
	modules := linked(t)
	var want bytes.Buffer
	want.WriteString("DMPool is made with the work of others. These are their licences.\n")
	for _, m := range modules {
		want.WriteString("\n== " + m.Path + "\n\n")
		for _, name := range licenceFiles(t, m.Dir) {
			raw, err := os.ReadFile(filepath.Join(m.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			want.Write(bytes.TrimSpace(bytes.ReplaceAll(raw, []byte("\r"), nil)))
			want.WriteString("\n")
		}
	}
	if *update {
		if err := os.WriteFile("licences.txt", want.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(want.Bytes(), licences) {
		t.Error("licences.txt is not what the modules say; run go test ./webui -run TestLicences -update")
	}
	for _, m := range modules {
		if kind := licenceOf(m.Path); kind == "" || kind == "see the text" {
			t.Errorf("%s: licence %q", m.Path, kind)
		}
	}
}

type module struct{ Path, Dir string }

// linked lists the modules of the program, and of Go itself.
func linked(t *testing.T) []module {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-json=Module", "../cmd/dmpool").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []module
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p struct {
			Module *struct {
				module
				Main bool
			}
		}
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if p.Module != nil && !p.Module.Main && !slices.Contains(list, p.Module.module) {
			list = append(list, p.Module.module)
		}
	}
	slices.SortFunc(list, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return append([]module{{"std", strings.TrimSpace(string(root))}}, list...)
}

func licenceFiles(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		upper := strings.ToUpper(e.Name())
		if !e.IsDir() && (strings.HasPrefix(upper, "LICEN") || strings.HasPrefix(upper, "COPYING") || upper == "NOTICE") {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		t.Errorf("no licence in %s", dir)
	}
	return names
}

// The page names what is linked in, and the licences can be read by everybody.
func TestAbout(t *testing.T) {
	w := open(t, newGolden())
	text := w.get("/about/licences.txt")
	if text.StatusCode != http.StatusOK || !strings.Contains(text.body, "== std\n") {
		t.Errorf("licences: %s", text.Status)
	}
	w.signIn()
	if body := w.get("/about").body; !strings.Contains(body, "1.2.3") || !strings.Contains(body, "SQLite") && !strings.Contains(body, "shares.db") {
		t.Error("the page names neither version nor databases")
	}
	for _, want := range []string{"This box ran version 1.1.0 until", "Miners see &lt;more&gt;.", "sudo dmpool rollback"} {
		if body := w.get("/about").body; !strings.Contains(body, want) {
			t.Errorf("the page does not say what is new: %q is not there", want)
		}
	}
}
