//go:build nspawn

package packaging

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWalk walks the package through dpkg on a Debian 13 that is not booted, and looks
// at each file that it leaves.
func TestWalk(t *testing.T) {
	base, file := unbooted(t)
	root := filepath.Join(t.TempDir(), "root")
	command(t, "cp", "-a", "--reflink=auto", base, root)
	if err := os.Mkdir(filepath.Join(root, "test"), 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "cp", file, filepath.Join(root, deb))
	enter(t, root, "TestInsideWalk")
}

// TestInsideWalk goes forwards, back, forwards again, away, back again and away for
// good, as one who has changed a setting and whom nobody asks anything.
func TestInsideWalk(t *testing.T) {
	outside(t)
	const settings, mine = "/etc/default/dmpool", `DMPOOL_FLAGS="--log-level=debug"`
	before, older := everything(t), withoutAvahi(t, "0.0.1")
	goTo := func(file string) {
		t.Helper()
		command(t, "dpkg", "--install", file)
		if got := read(t, settings); !strings.Contains(got, mine) {
			t.Fatalf("after %s the setting is gone:\n%s", file, got)
		}
		command(t, "dpkg", "--configure", "--pending")
	}

	command(t, "dpkg", "--install", older)
	command(t, "sh", "-c", "echo '"+mine+"' >>"+settings)
	goTo(deb)
	kept := "/var/cache/dmpool/" + "dmpool_0.0.1_" + debArch(t, deb) + ".deb"
	if got, want := contents(t, kept), contents(t, older); got != want {
		t.Errorf("the package that was kept holds\n%s\nand not\n%s", got, want)
	}
	if got, want := conffiles(t, kept), conffiles(t, older); got != want {
		t.Errorf("conffiles of the package that was kept: %q, want %q", got, want)
	}
	goTo(kept)
	goTo(deb)
	goTo(kept)

	// A file of the package that somebody has deleted stays so, in both directions.
	goTo(deb)
	const avahi = "/etc/avahi/services/dmpool.service"
	if err := os.Remove(avahi); err != nil {
		t.Fatal(err)
	}
	goTo(another(t, "9.9.9"))
	goTo(filepath.Join("/var/cache/dmpool", "dmpool_"+strings.TrimSpace(command(t, "dpkg-deb", "--field", deb, "Version"))+"_"+debArch(t, deb)+".deb"))
	if _, err := os.Lstat(avahi); err == nil {
		t.Errorf("%s is there again", avahi)
	}

	command(t, "dpkg", "--remove", "dmpool")
	for _, path := range left(t, before) {
		known := slices.ContainsFunc([]string{"/etc/default/dmpool", "/etc/apt/apt.conf.d/52dmpool-upgrades", "/etc/avahi", "/etc/systemd/system/multi-user.target.wants/dmpool.service", "/var/cache/dmpool", "/var/lib/dmpool"},
			func(known string) bool { return strings.HasPrefix(path, known) })
		if !known {
			t.Errorf("after the removal there is %s", path)
		}
	}
	goTo(deb)

	command(t, "dpkg", "--purge", "dmpool")
	want := []string{
		"/var/lib/dmpool dmpool:dmpool 750", "/var/lib/dmpool-bin root:root 755",
		"/var/lib/dmpool-node root:dmpool-rpc 710", "/var/lib/dmpool-request dmpool:dmpool-node 2750",
	}
	if got := left(t, before); !slices.Equal(got, want) {
		t.Errorf("after the purge there is %q, want %q", got, want)
	}
	command(t, "getent", "passwd", "dmpool", "dmpool-node") // the owners of what stays
}

// withoutAvahi makes the package anew, as a version that did not have all its files
// below /etc yet.
func withoutAvahi(t *testing.T, version string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	command(t, "dpkg-deb", "--raw-extract", deb, dir)
	command(t, "sed", "-i", "s/^Version: .*/Version: "+version+"/", filepath.Join(dir, "DEBIAN/control"))
	command(t, "sed", "-i", "/avahi/d", filepath.Join(dir, "DEBIAN/conffiles"))
	command(t, "sed", "-i", "/avahi/d", filepath.Join(dir, "DEBIAN/md5sums"))
	command(t, "rm", "-r", filepath.Join(dir, "etc/avahi"), filepath.Join(dir, "usr/share/dmpool/pristine/etc/avahi"))
	file := "/test/dmpool_" + version + ".deb"
	command(t, "dpkg-deb", "--root-owner-group", "-Znone", "--build", dir, file)
	return file
}

func conffiles(t *testing.T, file string) string {
	t.Helper()
	return command(t, "dpkg-deb", "--info", file, "conffiles")
}

// everything lists all files but those that dpkg, systemd and the list of users have
// for themselves, with owner and rights.
func everything(t *testing.T) []string {
	t.Helper()
	out := command(t, "find", "/", "-xdev", "(",
		"-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/dev", "-o", "-path", "/run", "-o", "-path", "/test", "-o", "-path", "/tmp",
		"-o", "-path", "/root", "-o", "-path", "/var/log", "-o", "-path", "/var/lib/dpkg", "-o", "-path", "/var/lib/systemd/deb-systemd-helper-enabled",
		"-o", "-regex", "/etc/[^/]*\\(passwd\\|shadow\\|group\\|\\.pwd.lock\\)-?",
		")", "-prune", "-o", "-printf", "%p %u:%g %m\n")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	slices.Sort(lines)
	return lines
}

// left lists what was not there before, or not so.
func left(t *testing.T, before []string) (lines []string) {
	t.Helper()
	for _, line := range everything(t) {
		if _, was := slices.BinarySearch(before, line); !was {
			lines = append(lines, line)
		}
	}
	return lines
}
