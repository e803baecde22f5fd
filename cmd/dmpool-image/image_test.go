//go:build image

package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const imageCode = "ABCDE-12345"

// giveKey asks for SSH and for a claim code on the boot partition.
func (m *vm) giveKey() {
	m.t.Helper()
	key := filepath.Join(m.dir, "key")
	command(m.t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	public, err := os.ReadFile(key + ".pub")
	if err != nil {
		m.t.Fatal(err)
	}
	m.write("dmpool-setup.txt", "ssh-key = "+string(public)+"claim-code = "+imageCode+"\n")
}

// giveNode puts a node on the box, which its image has none of.
func (m *vm) giveNode() {
	m.t.Helper()
	bitcoind := needed(m.t, "DMPOOL_BITCOIND")
	tree := filepath.Dir(filepath.Dir(bitcoind))
	tar := command(m.t, "tar", "-C", tree, "-c", ".")
	if _, err := m.pipe([]byte(tar), "mkdir -p /usr/lib/dmpool/node/test && tar -C /usr/lib/dmpool/node/test --no-same-owner -x && ln -sfn test /usr/lib/dmpool/node/current && sync"); err != nil {
		m.t.Fatal(err)
	}
}

// TestImage is the life of two boxes from the same image: one whose owner only
// switches it on, and one that loses its power while it is set up.
func TestImage(t *testing.T) {
	quiet := newVM(t, 6, "-rtc", "base=1970-01-01T00:00:00")
	quiet.start()
	v := newVisitor(t, quiet)
	quiet.await("the wizard", v.wizardReady)
	t.Logf("from power on to the wizard: %.0f s", time.Since(quiet.on).Seconds())
	dialer := net.Dialer{Timeout: 5 * time.Second}
	if conn, err := dialer.DialContext(t.Context(), "tcp", "127.0.0.1:"+quiet.shell); err == nil {
		_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := conn.Read(make([]byte, 100)); err == nil {
			t.Errorf("port 22 says %d bytes to a box without keys", n)
		}
		conn.Close()
	}
	quiet.powerOff()
	first := strings.TrimSpace(quiet.debugfs("cat /etc/machine-id"))
	if keys := quiet.debugfs("ls -p /etc/ssh"); strings.Contains(keys, "ssh_host_") {
		t.Errorf("the box has made keys for a server that nobody has asked for:\n%s", keys)
	}

	m := newVM(t, 8)
	m.giveKey()
	shipped := partition(t, m.disk, "dmpool-var").size
	m.start()
	m.await("the partition is grown", func() error {
		if size := partition(t, m.disk, "dmpool-var").size; size == shipped {
			return fmt.Errorf("it has %d bytes", size)
		}
		return nil
	})
	m.cut() // before its file system has grown, too
	m.start()
	m.awaitShell()
	if id := m.must("cat /etc/machine-id"); id == first || !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(id) || len(first) != len(id) {
		t.Errorf("two boxes have the identities %q and %q", first, id)
	}
	m.checkSystem()

	m.giveNode()
	m.setUp()
	m.mineBlock()
	m.checkSystem()
	t.Logf("memory of the box with pool and node:\n%s", m.must("free -m"))
}

// setUp answers the wizard; the power goes away in the middle of it.
func (m *vm) setUp() {
	m.t.Helper()
	v := newVisitor(m.t, m)
	m.await("the wizard", v.wizardReady)
	if screen := m.must("cat /dev/vcs1"); !strings.Contains(screen, imageCode) || !strings.Contains(screen, "http://10.0.2.15/setup") {
		m.t.Errorf("the screen shows:\n%s", screen)
	}
	m.answer(func(done string) {
		if done == "network" {
			m.cut()
			m.start()
			m.await("the wizard, again", v.wizardReady)
		}
	})
}

// mineBlock mines on the box itself until a block is found.
func (m *vm) mineBlock() {
	m.t.Helper()
	m.must("systemd-run --quiet --unit=test-miner /usr/bin/dmpool miner -o stratum+tcp://127.0.0.1:3333 -u " + minersAddress + ".box -p d=0.0002")
	v := newVisitor(m.t, m)
	m.await("a block", func() error {
		got, err := v.get("/api/v1/blocks")
		if err != nil {
			return err
		}
		var answer struct {
			Items []struct{ State string }
		}
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || len(answer.Items) == 0 {
			return fmt.Errorf("%s", got.body)
		}
		return nil
	})
	m.t.Logf("a block %.0f s after the last power on", time.Since(m.on).Seconds())
	m.must("systemctl stop test-miner")
}
