//go:build image

package main

import (
	"regexp"
	"strings"
)

// checkSystem looks at the box from inside, as root.
func (m *vm) checkSystem() {
	m.t.Helper()
	m.must("systemctl is-system-running --wait || true")
	for _, c := range []struct{ what, script, want string }{
		{"units that failed", "systemctl --failed --no-legend --plain", `^$`},
		{"cycles in the order of units", "journalctl -b --no-pager --grep='ordering cycle' -q || true", `^$`},
		{"root's password", "passwd --status root", `^root L `},
		{"users with a password", "grep -c ':\\$' /etc/shadow || true", `^0$`},
		{"identity", "cat /etc/machine-id", `^[0-9a-f]{32}$`},
		{"firewall", "nft list ruleset", `(?s)policy drop.*tcp dport`},
		{"room in /var", "df --output=size -B1M /var | tail -n 1", `^ *(2[6-9]|3[0-9])\d\d$`},
		{"the rest of the disk in use", "systemd-repart --no-pager 2>&1 || true", `No changes`},
		{"name in the home network", "resolvectl mdns", `Global: yes(?s:.*)\(.*\): yes`},
		{"compressed memory", "swapon --noheadings --show=NAME", `^/dev/zram0$`},
		{"journal", "systemd-analyze cat-config systemd/journald.conf", `SystemMaxUse=200M`},
		{"time to stop", "systemctl show --property=JobTimeoutUSec --value reboot.target poweroff.target", `^40min\s+40min$`},
		{"updates", "systemctl is-enabled unattended-upgrades apt-daily.timer apt-daily-upgrade.timer", `^enabled\s+enabled\s+enabled$`},
		{"sources of updates", `apt-get --print-uris update | sed "s|^'||; s|/dists/.*||" | sort -u | tr '\n' ' '`, `^http://deb\.debian\.org/debian http://security\.debian\.org/debian-security $`},
		{"time from the network", "systemctl is-enabled systemd-timesyncd systemd-time-wait-sync", `^enabled\s+enabled$`},
		{"half-installed packages", "dpkg --audit", `^$`},
	} {
		got, err := m.ssh(c.script)
		if got = strings.TrimRight(got, "\n"); err != nil || !regexp.MustCompile(c.want).MatchString(got) {
			m.t.Errorf("%s: want %s, got %v\n%s", c.what, c.want, err, got)
		}
	}
	m.checkPorts()
}

// checkPorts looks who listens to the network: nobody but the pool, the SSH server that
// was asked for, and the two that find names and addresses.
func (m *vm) checkPorts() {
	m.t.Helper()
	for line := range strings.Lines(m.must("ss -Hltunp")) {
		fields := strings.Fields(line)
		local, who := fields[4], fields[len(fields)-1]
		if strings.HasPrefix(local, "127.") || strings.HasPrefix(local, "[::1]") {
			continue
		}
		if !regexp.MustCompile(`"(dmpool|sshd|systemd|systemd-resolve|systemd-network)"`).MatchString(who) {
			m.t.Errorf("somebody else listens: %s", line)
		}
	}
}

// powerOff presses the button.
func (m *vm) powerOff() {
	m.t.Helper()
	if _, err := m.keys.Write([]byte("system_powerdown\n")); err != nil {
		m.t.Fatal(err)
	}
	if err := <-m.ended; err != nil {
		m.t.Errorf("switched off: %v", err)
	}
	m.qemu = nil
}
