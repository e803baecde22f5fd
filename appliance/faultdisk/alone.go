// Package faultdisk gives tests disks that they may fill and break.
//
// Only root may mount a file system, and a mount would be seen by everybody. So
// a test that needs a disk goes on in a process of its own with mounts of its
// own ([Alone]), which are gone with it, however it ends.
package faultdisk

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// apart is set in the process in which a test is alone with its mounts.
const apart = "DMPOOL_TEST_APART"

// Alone runs the calling test, which is no subtest, once more in a process that
// sees its own mounts, and returns true there. Where the test was called it
// returns false, and has reported how it went. Without root the test is skipped.
func Alone(t *testing.T) bool {
	t.Helper()
	if os.Getenv(apart) != "" {
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("this test needs disks of its own, which only root can mount: run it as root to see what a full or broken disk does")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"-test.run=^" + regexp.QuoteMeta(t.Name()) + "$", "-test.v"}
	if deadline, ok := t.Deadline(); ok {
		args = append(args, "-test.timeout="+time.Until(deadline).String())
	}
	command := exec.CommandContext(t.Context(), self, args...)
	command.Env = append(os.Environ(), apart+"=1")
	command.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	said, err := command.CombinedOutput()
	switch text := string(said); {
	case err != nil:
		t.Errorf("alone with its disks: %v\n%s", err, text)
	case strings.Contains(text, "--- SKIP"):
		t.Skip(text)
	case !strings.Contains(text, "--- PASS: "+t.Name()):
		t.Errorf("the test did not run:\n%s", text)
	}
	return false
}
