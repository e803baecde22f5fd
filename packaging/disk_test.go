package packaging

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/dmpool/dmpool/appliance"
)

// A disk for backups is mounted where the pool looks for it and may write, with nothing
// on it that can be run or become a device, and only if its label says so. Without a
// disk the folder belongs to root.
func TestDiskForBackups(t *testing.T) {
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	folder := filepath.Dir(appliance.BackupDisk)
	rules, mounts := read("udev/90-dmpool-disk.rules"), 0
	for line := range strings.Lines(rules) {
		if !strings.Contains(line, "RUN") {
			continue
		}
		mounts++
		if !strings.HasSuffix(line, " $devnode "+appliance.BackupDisk+"\"\n") {
			t.Errorf("not mounted at %s: %s", appliance.BackupDisk, line)
		}
		for _, option := range []string{"nosuid", "nodev", "noexec"} {
			if !regexp.MustCompile(`--options=\S*\b` + option + `\b`).MatchString(line) {
				t.Errorf("mounted without %s: %s", option, line)
			}
		}
		if !strings.HasPrefix(line, `ENV{ID_FS_TYPE}=="`) {
			t.Errorf("mounts every kind of file system: %s", line)
		}
	}
	if mounts == 0 || !strings.Contains(rules, `ENV{ID_FS_LABEL}!="DMPOOL", GOTO="dmpool_disk_end"`) {
		t.Error("the rules mount nothing, or everything")
	}
	if !regexp.MustCompile(`(?m)^ReadWritePaths=.* -` + folder + `$`).MatchString(read("systemd/dmpool.service")) {
		t.Errorf("the service may not write below %s, or does not start without it", folder)
	}
	for _, dir := range []string{folder, appliance.BackupDisk} {
		if !regexp.MustCompile(`(?m)^d ` + dir + ` +0755 root +root$`).MatchString(read("tmpfiles/dmpool.conf")) {
			t.Errorf("%s is not root's", dir)
		}
	}
}
