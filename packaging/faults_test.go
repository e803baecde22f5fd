//go:build nspawn

package packaging

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInsideFaults begins each fault on a machine that has no DMPool, and ends it
// with a box that works.
func TestInsideFaults(t *testing.T) {
	outside(t)
	// Where the kill lands: while files are written, and while the scripts run.
	t.Run("killed while it unpacks", func(t *testing.T) {
		killed(t, func() bool { return exists("/usr/bin/dmpool.dpkg-new") || exists("/usr/bin/dmpool") })
	})
	t.Run("killed while it is set up", func(t *testing.T) {
		killed(t, func() bool { return running("dmpool.postinst") })
	})
	t.Run("no room for the package", noRoom)
	t.Run("without IPv6", withoutIPv6)
	t.Run("without polkit", withoutPolkit)
	t.Run("trouble", noTrouble)
	// This one leaves its mark in the journal.
	t.Run("no room for the data", noRoomForData)
}

// gone takes the package away, and all that is its own.
func gone(t *testing.T) {
	t.Helper()
	command(t, "apt-get", "purge", "--yes", "--quiet", "dmpool")
	for _, dir := range []string{"", "-node", "-node-conf", "-request", "-bin"} {
		if err := os.RemoveAll("/var/lib/dmpool" + dir); err != nil {
			t.Fatal(err)
		}
	}
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// running tells whether a process runs whose command line holds a word.
func running(word string) bool {
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range lines {
		if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), word) {
			return true
		}
	}
	return false
}

// killed kills an installation as soon as something is so, dpkg, its scripts and all,
// and then does what a person is told to do.
func killed(t *testing.T, when func() bool) {
	defer gone(t)
	// It outlives the test's context for nothing but its own end.
	c := exec.CommandContext(context.Background(), "dpkg", "--install", deb)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for limit := time.Now().Add(time.Minute); !when(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatal("there was nothing to kill")
		}
	}
	if err := syscall.Kill(-c.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err == nil {
		t.Fatal("the installation had ended already")
	}
	t.Logf("dpkg's database says: %s", state(t))
	if out, err := exec.CommandContext(t.Context(), "dpkg", "--configure", "-a").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	if state(t) != "install ok installed" { // killed so early that dpkg asks for the file again
		install(t, deb)
	}
	waitFor(t, "the wizard answers after all", wizard)
	if got := state(t); got != "install ok installed" {
		t.Errorf("in the end it is %s", got)
	}
	command(t, "dmpool", "claim-code")
}

func state(t *testing.T) string {
	t.Helper()
	out, _ := exec.CommandContext(t.Context(), "dpkg-query", "--show", "--showformat=${Status}", "dmpool").CombinedOutput()
	return string(out)
}

// small puts a small disk in the place of a folder until the returned function is
// called.
func small(t *testing.T, dir, size string) (undo func()) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", "-t", "tmpfs", "-o", "size="+size, "small", dir)
	return func() { command(t, "umount", dir) }
}

// noRoom installs on a full disk: dpkg says so, and nothing is half there.
func noRoom(t *testing.T) {
	defer gone(t)
	undo := small(t, "/usr/lib/dmpool", "1m")
	out, err := exec.CommandContext(t.Context(), "apt-get", "install", "--yes", "--quiet", deb).CombinedOutput()
	undo()
	if err == nil || !strings.Contains(string(out), "No space left on device") {
		t.Errorf("apt (%v) says\n%s", err, out)
	}
	if exists("/usr/bin/dmpool") || exists("/usr/share/polkit-1/rules.d/50-dmpool.rules") {
		t.Error("something of it is left")
	}
	install(t, deb)
	waitFor(t, "the wizard answers once there is room", wizard)
}

// noRoomForData installs where the pool cannot write: the package is there, says
// where to look, and the pool comes up by itself when there is room.
func noRoomForData(t *testing.T) {
	defer gone(t)
	undo := small(t, "/var/lib/dmpool", "4k")
	if err := os.WriteFile("/var/lib/dmpool/full", make([]byte, 4096), 0o644); err != nil {
		t.Fatal(err)
	}
	out := install(t, deb)
	if !strings.Contains(out, "journalctl -u dmpool") {
		t.Errorf("apt says\n%s", out)
	}
	undo()
	waitFor(t, "the wizard answers once there is room for data", wizard)
}

// withoutIPv6 installs where the network knows nothing but IPv4.
func withoutIPv6(t *testing.T) {
	defer gone(t)
	const off = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
	if err := os.WriteFile(off, []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(off, []byte("0"), 0o644); err != nil {
			t.Error(err)
		}
	}()
	firstInstall(t)
	setUp(t)
	mine(t)
}

// withoutPolkit installs and sets up where nobody can be asked whether the pool may
// start its node: the pool says so, and goes on when there is somebody.
func withoutPolkit(t *testing.T) {
	defer gone(t)
	command(t, "systemctl", "mask", "--now", "polkit.service")
	firstInstall(t)
	command(t, "dmpool", "setup", "--answers", answersFile(t))
	var reason []byte
	waitFor(t, "the pool says that its node does not run", func() bool {
		// Nothing that fits is a failure to journalctl.
		reason, _ = exec.CommandContext(t.Context(), "journalctl", "--no-pager", "--unit=dmpool", "--grep=cannot be run as a service").CombinedOutput()
		var health struct{ Status string }
		return strings.Contains(string(reason), "cannot be run") && get("/api/health", &health) && health.Status == "down"
	})
	t.Logf("%s", reason)
	waitFor(t, "everybody is told that it is polkit", func() bool {
		var health struct {
			Checks map[string]struct{ Reason string }
		}
		return get("/api/health", &health) && strings.Contains(health.Checks["service"].Reason, "polkit")
	})
	waitFor(t, "dmpool doctor says what to do", func() bool {
		said, err := exec.CommandContext(t.Context(), "dmpool", "doctor").CombinedOutput()
		return err != nil && strings.Contains(string(said), "unmask polkit.service")
	})
	command(t, "systemctl", "unmask", "polkit.service")
	waitFor(t, "the box is healthy with polkit", healthy)
}
