package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestVersion follows a project from its first commit over a candidate and a release
// to what comes after: dpkg takes each package for newer than the one before.
func TestVersion(t *testing.T) {
	if _, err := exec.LookPath("dpkg"); err != nil {
		t.Skip("no dpkg to compare versions with")
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.CommandContext(t.Context(), name, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", name, args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../scripts/deb-version.sh")
	if err != nil {
		t.Fatal(err)
	}
	write("scripts/deb-version.sh", string(script))
	write("packaging/debian/changelog", "dmpool (1.2.0) unstable; urgency=medium\n")
	run("git", "init", "-q")
	commit := func() { run("git", "commit", "-q", "--allow-empty", "-m", "more") }
	run("git", "add", ".")

	before := ""
	for _, step := range []struct {
		do   func()
		want string // with # for the commit
	}{
		{commit, "1.2.0~git1.#"},
		{commit, "1.2.0~git2.#"},
		{func() { run("git", "tag", "v1.2.0-rc1") }, "1.2.0~rc1"},
		{commit, "1.2.0~rc1+1.#"},
		{func() { commit(); run("git", "tag", "v1.2.0") }, "1.2.0"},
		{commit, "1.2.0+1.#"},
		{func() { write("scripts/new", "") }, "1.2.0+1.#.dirty"},
		{func() { run("git", "add", "."); commit(); run("git", "tag", "v1.2.1") }, "1.2.1"},
	} {
		step.do()
		version := run("scripts/deb-version.sh")
		if want := strings.ReplaceAll(step.want, "#", run("git", "rev-parse", "--short=7", "HEAD")); version != want {
			t.Errorf("version is %s, want %s", version, want)
		}
		if before != "" {
			run("dpkg", "--compare-versions", before, "lt", version)
		}
		before = version
	}
}
