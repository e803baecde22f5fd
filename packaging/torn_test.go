//go:build nspawn

package packaging

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	bookRounds = 6                              // of going back and forth, each killed on its way
	practice   = "/var/lib/dmpool/practice"     // where the books are
	inTheCopy  = practice + "/backups/.partial" // is there while the books are copied
	inChange   = practice + "/backups/begun"    // is there while they are changed
	inRollback = practice + "/backups/staged"   // is there while they go back
	orderGiven = practice + "/rollback.json"    // from here on the way back has to be gone to its end
)

// killed kills the pool in the middle of changing the books, and `dmpool rollback` in
// the middle of going back, again and again. Whatever it hits, the next start, or the
// next call, goes on, and no booking is lost.
func (u *upgrades) killed(t *testing.T) {
	hits := map[string]int{}
	for round := range bookRounds {
		command(t, "systemctl", "stop", "dmpool.service")
		for i := round; ; i++ {
			where := u.killRollback(t, i)
			hits["rollback: "+where]++
			if where == "ended" {
				break
			}
			if where == "under way" && hits["rollback: "+where] == 1 {
				command(t, "systemctl", "start", "--no-block", "dmpool.service")
				waitFor(t, "the pool says that going back was cut short", func() bool { return said(t, "was cut short") })
				command(t, "systemctl", "stop", "dmpool.service")
			}
		}
		hits["upgrade: "+u.killUpgrade(t, round)]++
		waitFor(t, "the pool goes on by itself", healthy)
		u.upgraded(t)
	}
	t.Logf("what was hit: %v", hits)
}

// said tells whether the pool has said something in its log.
func said(t *testing.T, what string) bool {
	t.Helper()
	// Nothing that fits is a failure to journalctl.
	out, _ := exec.CommandContext(t.Context(), "journalctl", "--no-pager", "--quiet", "--unit=dmpool", "--grep="+what).CombinedOutput()
	return len(out) > 0
}

// soon waits for a file, a while.
func soon(name string, while time.Duration) {
	for limit := time.Now().Add(while); !exists(name) && time.Now().Before(limit); {
		time.Sleep(50 * time.Microsecond)
	}
}

// killRollback kills one rollback, if it does not end before, and says where it was.
func (u *upgrades) killRollback(t *testing.T, i int) string {
	t.Helper()
	var said bytes.Buffer
	c := exec.CommandContext(t.Context(), "dmpool", "rollback", "--to", u.copy())
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	switch i % 3 {
	case 0:
		soon(inRollback, time.Second)
		time.Sleep(rand.N(5 * time.Millisecond))
	case 1:
		soon(orderGiven, time.Second)
	case 2:
		time.Sleep(rand.N(time.Duration(i+1) * 100 * time.Millisecond)) // it gets through in the end
	}
	_ = c.Process.Kill()
	err := c.Wait()
	switch {
	case c.ProcessState.Exited():
		// The one before may have been killed when all was done.
		if err != nil && !strings.Contains(said.String(), "older than the books") {
			t.Errorf("%v: %s", err, &said)
		}
		return "ended"
	case exists(orderGiven):
		return "under way"
	case exists(inRollback):
		return "laying ready"
	default:
		return "reading, or done"
	}
}

// killUpgrade starts the pool, kills it on its way, and says where it was.
func (u *upgrades) killUpgrade(t *testing.T, i int) (where string) {
	t.Helper()
	command(t, "systemctl", "start", "--no-block", "dmpool.service")
	file, most := inTheCopy, 20*time.Millisecond
	if i%2 > 0 { // which takes longer
		file, most = inChange, 200*time.Millisecond
	}
	soon(file, 20*time.Second)
	time.Sleep(rand.N(most))
	switch {
	case exists(inTheCopy):
		where = "copying"
	case exists(inChange):
		where = "changing"
	default:
		where = "afterwards"
	}
	number, err := strconv.Atoi(pid(t, "dmpool.service"))
	if err != nil || number == 0 {
		t.Fatalf("the pool does not run: %d, %v", number, err)
	}
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	return where
}

// fullDisk upgrades where there is no room for the copy: nothing is changed, the pool
// says what to do, and goes on by itself when there is room.
func (u *upgrades) fullDisk(t *testing.T) {
	command(t, "systemctl", "stop", "dmpool.service")
	command(t, "dmpool", "rollback", "--to", u.copy())
	disk, before := "/test/disk", command(t, "sh", "-c", "sha256sum "+practice+"/*.db")
	if err := os.MkdirAll(disk, 0o755); err != nil {
		t.Fatal(err)
	}
	command(t, "mount", "-t", "tmpfs", "-o", "size=1g", "small", disk)
	command(t, "cp", "-a", practice+"/.", disk)
	command(t, "chown", "--reference="+practice, disk)
	command(t, "chmod", "--reference="+practice, disk)
	command(t, "mount", "--bind", disk, practice)
	full := filepath.Join(practice, "full")
	_ = exec.CommandContext(t.Context(), "dd", "if=/dev/zero", "of="+full, "bs=64k", "status=none").Run() // until it is full
	command(t, "truncate", "--size=-256K", full)

	command(t, "systemctl", "start", "--no-block", "dmpool.service")
	waitFor(t, "the pool says that it has no room", func() bool { return said(t, "nothing was changed: make room on the disk") })
	command(t, "systemctl", "stop", "dmpool.service")
	if after := command(t, "sh", "-c", "sha256sum "+practice+"/*.db"); after != before {
		t.Errorf("the books have changed:\n%s%s", before, after)
	}
	command(t, "systemctl", "start", "--no-block", "dmpool.service")
	if err := os.Remove(full); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the pool goes on by itself", healthy)
	u.upgraded(t)

	command(t, "systemctl", "stop", "dmpool.service")
	command(t, "umount", practice)
	command(t, "sh", "-c", "rm -r "+practice+"/* && cp -a "+disk+"/. "+practice)
	command(t, "umount", disk)
	command(t, "systemctl", "start", "dmpool.service")
	waitFor(t, "the box is healthy on its own disk", healthy)
	u.upgraded(t)
}
