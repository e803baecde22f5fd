package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A project is a small one with our release script: its packages are made in no time,
// and its git knows nobody's settings.
type project struct {
	t   *testing.T
	dir string
	env []string
}

// newProject makes one whose changelog says 1.2.0.
func newProject(t *testing.T) *project {
	t.Helper()
	for _, tool := range []string{"git", "gpg", "gpgconf", "dpkg-parsechangelog", "dpkg-deb"} {
		if _, err := exec.LookPath(tool); err != nil {
			if os.Getenv("DMPOOL_TEST_ALL") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	keys := keyring(t)
	p := &project{t: t, dir: t.TempDir(), env: append(os.Environ(), "GNUPGHOME="+keys, "RELEASE_KEY="+newKey(t, keys, "DMPool"), "RELEASE_OUT=",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=DMPool", "GIT_COMMITTER_EMAIL=a@b")}
	for _, name := range []string{"scripts/release.sh", "scripts/deb-version.sh"} {
		text, err := os.ReadFile("../" + name)
		if err != nil {
			t.Fatal(err)
		}
		p.write(name, string(text))
	}
	p.write(".gitignore", "/dist/\n")
	p.write("packaging/debian/changelog", `dmpool (1.2.0) unstable; urgency=medium

  * A better box, whose description
    takes two lines.
  * A second line.

 -- Somebody <a@b>  Mon, 23 Nov 2026 06:00:00 +0000
`)
	p.write("scripts/deb.sh", `#!/bin/sh
set -e
tree=$(mktemp -d)
mkdir "$tree/DEBIAN"
version=$(scripts/deb-version.sh)
printf 'Package: dmpool\nVersion: %s\nArchitecture: %s\nMaintainer: a <a@b>\nDescription: box\n' "$version" "$1" >"$tree/DEBIAN/control"
[ ! -e dist/luck ] || mktemp -u >"$tree/luck"
[ "$1" = amd64 ] || [ ! -e dist/more ] || echo more >"$tree/more"
SOURCE_DATE_EPOCH=1 dpkg-deb --root-owner-group --build "$tree" "$DEB_OUT/dmpool_${version}_$1.deb" >&2
echo "$DEB_OUT/dmpool_${version}_$1.deb"
`)
	p.write("bin/lintian", "#!/bin/sh\n")
	p.env = append(p.env, "PATH="+filepath.Join(p.dir, "bin")+":"+os.Getenv("PATH"))
	p.git("init", "-q")
	p.git("add", ".")
	p.git("commit", "-q", "-m", "everything")
	return p
}

func (p *project) write(name, text string) {
	p.t.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) remove(name string) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(p.dir, name)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) git(args ...string) {
	p.t.Helper()
	if _, said, err := p.run("git", args...); err != nil {
		p.t.Fatalf("git %q: %v\n%s", args, err, said)
	}
}

func (p *project) run(name string, args ...string) (out, said string, err error) {
	p.t.Helper()
	c := exec.CommandContext(p.t.Context(), name, args...)
	c.Dir, c.Env = p.dir, p.env
	var stderr bytes.Buffer
	c.Stderr = &stderr
	stdout, err := c.Output()
	return strings.TrimSpace(string(stdout)), stderr.String(), err
}

// short are the steps that the small project does not have.
func short(args ...string) []string {
	return append(args, "--skip", "check", "--skip", "test", "--skip", "deb-test", "--skip", "image", "--skip", "sbom")
}

// refused makes a release that has to fail, with a reason.
func (p *project) refused(reason string, args ...string) {
	p.t.Helper()
	if out, said, err := p.run("scripts/release.sh", args...); err == nil || !strings.Contains(said, reason) {
		p.t.Errorf("want %q; released %q (%v):\n%s", reason, out, err, said)
	}
}

// TestRelease goes from what no release can be made of to one, which anyone can check.
func TestRelease(t *testing.T) {
	p := newProject(t)
	p.refused("--skip takes one of", "--skip", "everything")
	p.refused("usage:", "now")
	p.refused("has no tag", short()...)
	p.git("tag", "v1.2.0")
	p.refused("is not signed", short()...)
	p.git("tag", "-d", "v1.2.0")
	p.git("-c", "user.signingkey=DMPool", "tag", "--sign", "--message", "1.3.0", "v1.3.0")
	p.refused("ends with 1.2.0", short()...)
	p.git("tag", "-d", "v1.3.0")
	p.git("-c", "user.signingkey=DMPool", "tag", "--sign", "--message", "1.2.0", "v1.2.0")
	p.write("strange", "")
	p.refused("strange", short()...)
	p.remove("strange")
	known := p.env
	p.env = append(p.env, "RELEASE_KEY=")
	p.refused("RELEASE_KEY", short()...)
	p.env = known
	p.write("dist/luck", "")
	p.refused("two builds of dmpool_1.2.0_amd64.deb differ", short()...)
	p.remove("dist")
	p.write("dist/more", "")
	p.refused("different files", short()...)
	p.remove("dist")

	dir, said, err := p.run("scripts/release.sh", short()...)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	if want := filepath.Join(p.dir, "dist/release-1.2.0"); dir != want {
		t.Errorf("it is in %s, want %s", dir, want)
	}
	p.refused("a release is made once", short()...)
	report := p.file(dir, "RELEASE.txt")
	for line, want := range map[string]bool{
		"tag        done": true, "packages   done": true, "sign       done": true, "test       SKIPPED": true,
		"image      SKIPPED": true, "REHEARSAL": false,
	} {
		if strings.Contains(report, line) != want {
			t.Errorf("%q stands in it: %v\n%s", line, !want, report)
		}
	}
	if notes := p.file(dir, "NOTES.md"); !strings.HasPrefix(notes, "# DMPool 1.2.0\n\n- A better box, whose description\n  takes two lines.\n- A second line.\n") {
		t.Errorf("the notes are\n%s", notes)
	}
	verify := func() error {
		_, _, err := p.run("sh", "-c", "cd "+dir+" && gpg --verify SHA256SUMS.asc SHA256SUMS && sha256sum --ignore-missing --check SHA256SUMS")
		return err
	}
	if err := verify(); err != nil {
		t.Errorf("what the notes say to do does not work: %v", err)
	}
	for _, name := range []string{"dmpool_1.2.0_arm64.deb", "NOTES.md", "RELEASE.txt", "SHA256SUMS"} {
		whole := p.file(dir, name)
		p.write("dist/release-1.2.0/"+name, whole+"\n")
		if verify() == nil {
			t.Errorf("nobody finds out that %s was changed", name)
		}
		p.write("dist/release-1.2.0/"+name, whole)
	}
}

// TestRehearsal makes a release of a commit without a tag, without a key, and says so.
func TestRehearsal(t *testing.T) {
	p := newProject(t)
	p.env = append(p.env, "RELEASE_KEY=", "GNUPGHOME=/nonexistent")
	p.write("strange", "")
	dir, said, err := p.run("scripts/release.sh", short("--rehearsal")...)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	report := p.file(dir, "RELEASE.txt")
	for _, want := range []string{"REHEARSAL", "tag        SKIPPED", "sign       SKIPPED", "packages   done", ".dirty"} {
		if !strings.Contains(report, want) {
			t.Errorf("there is no %q in\n%s", want, report)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "SHA256SUMS.asc")); err == nil {
		t.Error("it is signed")
	}
}

func (p *project) file(dir, name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}
