//go:build nspawn

package packaging

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A bom is what we read of a CycloneDX file.
type bom struct {
	Format   string `json:"bomFormat"`
	Metadata struct {
		Component component
	}
	Components   []component
	Dependencies []struct {
		Ref       string
		DependsOn []string
	}
}

type component struct {
	Ref      string `json:"bom-ref"`
	Name     string
	Version  string
	Licenses []license
	Evidence struct{ Licenses []license }
}

type license struct{ License struct{ ID string } }

// TestSBOM holds the list of what a release is made of against what the programs of
// the package say of themselves.
func TestSBOM(t *testing.T) {
	deb := os.Getenv("DMPOOL_DEB")
	if deb == "" {
		t.Skip("it needs DMPOOL_DEB")
	}
	text, err := exec.CommandContext(t.Context(), "../scripts/sbom.sh", "1.2.0").Output()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := exec.CommandContext(t.Context(), "../scripts/sbom.sh", "1.2.0").Output(); err != nil || string(again) != string(text) {
		t.Errorf("the list is another one the second time (%v)", err)
	}
	var b bom
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	if b.Format != "CycloneDX" || b.Metadata.Component.Name != "github.com/dmpool/dmpool" || b.Metadata.Component.Version != "1.2.0" {
		t.Errorf("it is %s of %+v", b.Format, b.Metadata.Component)
	}
	versions := map[string]string{}
	for _, c := range b.Components {
		versions[c.Name] = c.Version
		if len(c.Licenses)+len(c.Evidence.Licenses) == 0 {
			t.Errorf("%s has no licence", c.Name)
		}
	}

	tree := t.TempDir()
	command(t, "dpkg-deb", "--extract", deb, tree)
	for _, name := range []string{"usr/bin/dmpool", "usr/lib/dmpool/dmpool-node"} {
		modules := 0
		for line := range strings.Lines(command(t, "go", "version", "-m", filepath.Join(tree, name))) {
			f := strings.Fields(line)
			if len(f) < 3 || f[0] != "dep" {
				continue
			}
			modules++
			if versions[f[1]] != f[2] {
				t.Errorf("%s has %s %s; the list says %q", name, f[1], f[2], versions[f[1]])
			}
		}
		if modules == 0 {
			t.Errorf("%s says nothing", name)
		}
	}

	// The C code says of itself which one it is.
	program := read(t, filepath.Join(tree, "usr/bin/dmpool"))
	if version := versions["sqlite"]; !strings.HasPrefix(version, "3.") || !strings.Contains(program, version) {
		t.Errorf("the list says SQLite %q, which is not in the program", version)
	}
	carried := false
	for _, d := range b.Dependencies {
		for _, ref := range d.DependsOn {
			carried = carried || strings.Contains(d.Ref, "mattn/go-sqlite3") && strings.HasPrefix(ref, "pkg:generic/sqlite@")
		}
	}
	if !carried {
		t.Error("nothing depends on SQLite")
	}
}
