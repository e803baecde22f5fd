package packaging

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newSettings are those that systemd's manual pages call added in version 256 or
// later. Ubuntu 24.04 has 255, which would pass them over with a line in the log.
func newSettings() []string {
	return []string{
		// 256
		"WantsMountsFor", "PassFileDescriptorsToExec", "MemoryZSwapWriteback",
		// 257
		"BindLogSockets", "PrivatePIDs", "ManagedOOMMemoryPressureDurationSec", "DeferReactivation",
		// 258 and later
		"AcceptFileDescriptors", "BPFDelegateAttachments", "BPFDelegateCommands", "BPFDelegateMaps", "BPFDelegatePrograms",
		"ConcurrencyHardMax", "ConcurrencySoftMax", "ConditionKernelModuleLoaded", "ConditionVersion", "DeferTrigger",
		"DeferTriggerMaxSec", "DelegateNamespaces", "PrivateBPF", "BindNetworkInterface", "MemoryTHP", "UserNamespacePath",
	}
}

// switches are settings that were yes or no in 255 and take more words since.
func switches() []string {
	return []string{"PrivateTmp", "PrivateUsers", "ProtectControlGroups", "ProtectHostname"}
}

// TestUnitsAreNotTooNew holds the units against what systemd 255 understands.
func TestUnitsAreNotTooNew(t *testing.T) {
	files, err := filepath.Glob("systemd/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no units: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, problem := range tooNew(string(text)) {
			t.Errorf("%s:%d: %s", file, n, problem)
		}
	}
	// What the test is for, it finds.
	const bad = "[Service]\nPrivatePIDs=yes\nPrivateTmp=disconnected\nPrivateUsers=yes\nExecStart=|/bin/true\n"
	if got := tooNew(bad); len(got) != 3 || got[2] == "" || got[3] == "" || got[5] == "" {
		t.Errorf("tooNew = %v, want the lines 2, 3 and 5", got)
	}
}

// TestDrillDiesAlone: a fire drill asks to be killed before the pool when memory is
// short (appliance/drill), but systemd stops the whole unit then unless it says otherwise.
func TestDrillDiesAlone(t *testing.T) {
	text, err := os.ReadFile("systemd/dmpool.service")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Split(string(text), "\n"); !slices.Contains(lines, "OOMPolicy=continue") {
		t.Error("dmpool.service stops when the kernel kills a drill")
	}
}

// tooNew returns what is wrong, by line.
func tooNew(unit string) map[int]string {
	problems := map[int]string{}
	n := 0
	for line := range strings.Lines(unit) {
		n++
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case !ok || strings.HasPrefix(name, "#"):
		case slices.Contains(newSettings(), name):
			problems[n] = name + " is newer than systemd 255"
		case slices.Contains(switches(), name) && value != "yes" && value != "no":
			problems[n] = name + " is yes or no in systemd 255"
		case name == "RestartMode" && value == "debug", strings.HasPrefix(name, "Exec") && strings.Contains(strings.SplitN(value, "/", 2)[0], "|"):
			problems[n] = "this value is newer than systemd 255"
		}
	}
	return problems
}
