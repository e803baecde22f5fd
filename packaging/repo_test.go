//go:build nspawn

package packaging

import (
	"bytes"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// aptRepo is where the container reads the repository.
const aptRepo = "http://127.0.0.1:8090"

// TestRepository makes two repositories of scripts/apt-repo.sh, ours and one of
// somebody else, and lets the apt of a Debian 13 without a network read them.
func TestRepository(t *testing.T) {
	base, deb := unbooted(t)
	root := filepath.Join(t.TempDir(), "root")
	command(t, "cp", "-a", "--reflink=auto", base, root)
	at := func(name string) string { return filepath.Join(root, "test", name) }
	if err := os.Mkdir(at(""), 0o755); err != nil {
		t.Fatal(err)
	}
	keys := keyring(t)
	ours, strange := newKey(t, keys, "DMPool"), newKey(t, keys, "Somebody")
	put := func(key, dir string, files ...string) (string, error) {
		c := exec.CommandContext(t.Context(), "../scripts/apt-repo.sh", files...)
		c.Env = append(os.Environ(), "GNUPGHOME="+keys, "APT_KEY="+key, "APT_URI="+aptRepo, "APT_REPO="+at(dir), "APT_VALID_DAYS=")
		out, err := c.CombinedOutput()
		return string(out), err
	}

	// Release upon release, and what came before the last of them.
	var packages []string
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0~rc1", "1.2.0"} {
		file := repacked(t, deb, version)
		packages = append(packages, file)
		if out, err := put(ours, "ours", file); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	for suite, want := range map[string]string{"stable": "1.1.0 1.2.0", "testing": "1.2.0 1.2.0~rc1"} {
		var got []string
		for line := range strings.Lines(read(t, at("ours/dists/"+suite+"/main/binary-"+debArch(t, deb)+"/Packages"))) {
			if version, ok := strings.CutPrefix(line, "Version: "); ok {
				got = append(got, strings.TrimSpace(version))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s has the versions %q, want %s", suite, got, want)
		}
	}
	if out, err := put(strange, "strange", packages...); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wantRelease(t, at("ours/dists/stable/Release"))

	// What may not go in.
	other := repacked(t, deb, "1.2.0", "Description: Bitcoin mining pool in another box")
	for want, file := range map[string]string{"with other bytes": other, "that no commit has": repacked(t, deb, "1.3.0.dirty")} {
		if out, err := put(ours, "ours", file); err == nil || !strings.Contains(out, want) {
			t.Errorf("%s went in: %v\n%s", file, err, out)
		}
	}
	if out, err := put("0123456789012345678901234567890123456789", "ours"); err == nil || !strings.Contains(out, "does not have the secret key") {
		t.Errorf("signed without a key: %v\n%s", err, out)
	}

	enter(t, root, "TestInsideRepository")
}

// TestInsideRepository follows the README, then meets everything that a mirror or a
// stranger may do to the repository.
func TestInsideRepository(t *testing.T) {
	outside(t)
	m := &mirror{}
	strange := []byte(read(t, "/test/strange/dists/stable/InRelease"))
	server := &http.Server{Addr: strings.TrimPrefix(aptRepo, "http://"), Handler: m, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.ListenAndServe() }()
	defer func() { _ = server.Close() }()
	command(t, "sh", "-c", "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*")
	command(t, "install", "-D", "-m", "644", "/test/ours/dmpool.asc", "/etc/apt/keyrings/dmpool.asc")
	command(t, "install", "-m", "644", "/test/ours/dmpool.sources", "/etc/apt/sources.list.d/")

	for name, alter := range map[string]alter{
		"lists that somebody has changed": func(path string, content []byte) []byte {
			if strings.Contains(path, "/main/") {
				content[len(content)/2] ^= 1
			}
			return content
		},
		"sums that somebody has changed": func(path string, content []byte) []byte {
			if path == "dists/stable/InRelease" {
				content = bytes.Replace(content, []byte("Suite: stable"), []byte("Suite: stabil"), 1)
			}
			return content
		},
		"a signature of somebody else": func(path string, content []byte) []byte {
			if path == "dists/stable/InRelease" {
				return strange
			}
			return content
		},
		"no signature": func(path string, content []byte) []byte {
			if path == "dists/stable/InRelease" || path == "dists/stable/Release.gpg" {
				return nil
			}
			return content
		},
	} {
		m.become(alter)
		out, err := update(t)
		if err == nil {
			t.Errorf("%s: apt is content\n%s", name, out)
		}
		if out, err := try(t, "apt-get", "install", "--yes", "dmpool"); err == nil {
			t.Fatalf("%s: apt has installed it\n%s", name, out)
		}
		t.Logf("%s:\n%s", name, out)
	}

	m.become(nil)
	if out, err := update(t); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !m.asked("/by-hash/") {
		t.Error("apt did not ask for a list by its hash")
	}
	m.become(func(path string, content []byte) []byte {
		if strings.HasSuffix(path, ".deb") {
			content[len(content)/2] ^= 1
		}
		return content
	})
	if out, err := try(t, "apt-get", "install", "--yes", "dmpool"); err == nil || !strings.Contains(out, "Hash Sum mismatch") {
		t.Fatalf("apt on a package that somebody has changed: %v\n%s", err, out)
	}

	m.become(nil)
	command(t, "apt-get", "install", "--yes", "dmpool")
	if got := installed(t); got != "1.2.0" {
		t.Errorf("installed is %s", got)
	}
	command(t, "apt-get", "install", "--yes", "--allow-downgrades", "dmpool=1.1.0")
	if got := installed(t); got != "1.1.0" {
		t.Errorf("after going back, installed is %s", got)
	}
	command(t, "apt-get", "upgrade", "--yes")
	if got := installed(t); got != "1.2.0" {
		t.Errorf("after the upgrade, installed is %s", got)
	}
	unattended(t)
}

// unattended looks whether upgrades by themselves are off, and what switches them on.
func unattended(t *testing.T) {
	t.Helper()
	const file, list = "/etc/apt/apt.conf.d/52dmpool-upgrades", "Unattended-Upgrade::Origins-Pattern"
	if got := command(t, "apt-config", "dump", list); got != "" {
		t.Errorf("upgrades come by themselves: %s", got)
	}
	command(t, "sed", "-i", `s:^//\([^ ]\|\t\):\1:`, file)
	if got := command(t, "apt-config", "dump", list); !strings.Contains(got, `"origin=DMPool,suite=stable"`) {
		t.Errorf("switched on, there is %q", got)
	}
}

// update reads the lists as if for the first time.
func update(t *testing.T) (string, error) {
	t.Helper()
	command(t, "sh", "-c", "rm -rf /var/lib/apt/lists/*")
	return try(t, "apt-get", "update", "--error-on=any")
}

// try runs what may go wrong.
func try(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	return string(out), err
}

// An alter changes what a mirror sends; nil means that it has no such file.
type alter func(path string, content []byte) []byte

// A mirror of our repository which may be a bad one.
type mirror struct {
	mu    sync.Mutex
	alter alter
	paths []string
}

// become changes what the mirror does with what it sends.
func (m *mirror) become(a alter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alter, m.paths = a, nil
}

// asked tells whether somebody has asked for a path with a word in it.
func (m *mirror) asked(word string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.paths, func(path string) bool { return strings.Contains(path, word) })
}

func (m *mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/")
	m.paths = append(m.paths, r.URL.Path)
	content, err := os.ReadFile(filepath.Join("/test/ours", filepath.Clean("/"+path)))
	if err == nil && m.alter != nil {
		content = m.alter(path, content)
	}
	if err != nil || content == nil {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(content) // a reader that has gone has its reasons
}

// wantRelease looks at what a suite says of itself.
func wantRelease(t *testing.T, file string) {
	t.Helper()
	fields := map[string]string{}
	for line := range strings.Lines(read(t, file)) {
		if name, value, ok := strings.Cut(line, ": "); ok {
			fields[name] = strings.TrimSpace(value)
		}
	}
	for name, want := range map[string]string{
		"Origin": "DMPool", "Suite": "stable", "Codename": "stable", "Components": "main",
		"Architectures": "amd64 arm64", "Acquire-By-Hash": "yes",
	} {
		if fields[name] != want {
			t.Errorf("%s is %q, want %s", name, fields[name], want)
		}
	}
	made, err := time.Parse(time.RFC1123Z, fields["Date"])
	if err != nil {
		t.Fatal(err)
	}
	if until, err := time.Parse(time.RFC1123Z, fields["Valid-Until"]); err != nil || until.Sub(made) != 90*24*time.Hour {
		t.Errorf("of %s, valid until %s (%v)", made, until, err)
	}
}

// repacked makes a package anew under another version, and with other fields.
func repacked(t *testing.T, deb, version string, fields ...string) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, "tree")
	command(t, "dpkg-deb", "--raw-extract", deb, tree)
	for _, field := range append(fields, "Version: "+version) {
		name, _, _ := strings.Cut(field, ":")
		command(t, "sed", "-i", "s/^"+name+": .*/"+field+"/", filepath.Join(tree, "DEBIAN/control"))
	}
	file := filepath.Join(dir, "dmpool_"+version+"_"+debArch(t, deb)+".deb")
	command(t, "dpkg-deb", "--root-owner-group", "-Znone", "--build", tree, file)
	return file
}

func debArch(t *testing.T, deb string) string {
	t.Helper()
	return strings.TrimSpace(command(t, "dpkg-deb", "--field", deb, "Architecture"))
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
