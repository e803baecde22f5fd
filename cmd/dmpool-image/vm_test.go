//go:build image

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// vm is a computer made of a disk: QEMU with the firmware of a PC, emulated unless
// DMPOOL_IMAGE_ACCEL says kvm. Its network reaches nobody; the test reaches three of
// its ports, which stay the same over restarts.
type vm struct {
	t     *testing.T
	dir   string
	disk  string
	args  []string // of QEMU, besides the usual
	pages string   // host:port of the pages
	miner string   // host:port for miners
	shell string   // port of SSH
	qemu  *exec.Cmd
	keys  io.Writer // of QEMU's own console
	ended chan error
	on    time.Time // since when the power is on
}

// How long a box may take that is emulated on a machine with other work. They only
// end what hangs: no result depends on them.
const (
	patience     = 2 * time.Hour
	callPatience = 10 * time.Minute // for one answer of its pages
)

const firmware = "/usr/share/OVMF/OVMF_CODE_4M.fd"

// newVM makes a computer whose disk is larger than the image.
func newVM(t *testing.T, gigabytes int64, args ...string) *vm {
	t.Helper()
	dir := t.TempDir()
	m := &vm{t: t, dir: dir, disk: filepath.Join(dir, "disk.raw"), args: args}
	command(t, "cp", "--sparse=always", unpackedImage(t), m.disk)
	if err := os.Truncate(m.disk, gigabytes<<30); err != nil {
		t.Fatal(err)
	}
	command(t, "cp", strings.Replace(firmware, "CODE", "VARS", 1), filepath.Join(dir, "vars.fd"))
	for _, address := range []*string{&m.pages, &m.miner, &m.shell} {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*address = ln.Addr().String()
		ln.Close()
	}
	_, m.shell, _ = net.SplitHostPort(m.shell)
	t.Cleanup(func() {
		if m.qemu != nil {
			m.cut()
		}
		if t.Failed() {
			text, _ := os.ReadFile(m.console())
			t.Logf("console:\n%s", text[max(0, len(text)-20_000):])
		}
	})
	return m
}

// unpackedImage unpacks the image once for all tests.
func unpackedImage(t *testing.T) string {
	t.Helper()
	image := needed(t, "DMPOOL_IMAGE")
	raw := filepath.Join(os.TempDir(), "dmpool-image-test.raw")
	of, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	if have, err := os.Stat(raw); err == nil && have.ModTime().After(of.ModTime()) {
		return raw
	}
	command(t, "zstd", "--quiet", "--force", "--decompress", "--sparse", image, "-o", raw+".part")
	command(t, "mv", raw+".part", raw)
	command(t, "touch", raw)
	return raw
}

func (m *vm) console() string { return filepath.Join(m.dir, "console") }

// start switches the power on.
func (m *vm) start() {
	m.t.Helper()
	accel := "tcg,thread=multi"
	if own := os.Getenv("DMPOOL_IMAGE_ACCEL"); own != "" {
		accel = own
	}
	_, pages, _ := net.SplitHostPort(m.pages)
	_, miner, _ := net.SplitHostPort(m.miner)
	forward := fmt.Sprintf("user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:%s-:80,hostfwd=tcp:127.0.0.1:%s-:3333,hostfwd=tcp:127.0.0.1:%s-:22", pages, miner, m.shell)
	args := append([]string{
		"-machine", "q35", "-accel", accel, "-cpu", "max", "-m", "2048", "-smp", "2",
		"-drive", "if=pflash,format=raw,readonly=on,file=" + firmware,
		"-drive", "if=pflash,format=raw,file=" + filepath.Join(m.dir, "vars.fd"),
		"-drive", "file=" + m.disk + ",format=raw,if=virtio,cache=none",
		"-netdev", forward, "-device", "virtio-net-pci,netdev=n,romfile=",
		"-device", "virtio-rng-pci", "-display", "none", "-no-reboot", "-monitor", "stdio",
		"-chardev", "file,id=c,append=on,path=" + m.console(), "-serial", "chardev:c",
	}, m.args...)
	// Linux trusts its timer only after it has seen it tick in time, which an emulator does
	// not always get to on a busy machine, and panics otherwise.
	more := "no_timer_check"
	if os.Getenv("DMPOOL_IMAGE_CONSOLE") != "" {
		// To read along: the image itself has a screen only.
		more += " console=tty0 console=ttyS0 systemd.show_status=1"
	}
	args = append(args, "-smbios", "type=11,value=io.systemd.stub.kernel-cmdline-extra="+more)
	m.qemu = exec.Command("qemu-system-x86_64", args...) //nolint:noctx // it ends with the test's own cut
	m.qemu.Stdout = &bytes.Buffer{}
	m.qemu.Stderr = m.qemu.Stdout
	var err error
	if m.keys, err = m.qemu.StdinPipe(); err != nil {
		m.t.Fatal(err)
	}
	m.on = time.Now()
	if err := m.qemu.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan error, 1)
	qemu := m.qemu
	m.ended = ended
	go func() { ended <- qemu.Wait() }()
}

// cut takes the power away: what QEMU has not written to the disk's file is lost.
func (m *vm) cut() {
	m.t.Helper()
	if err := m.qemu.Process.Kill(); err != nil {
		m.t.Error(err)
	}
	if err := <-m.ended; err == nil {
		m.t.Error("the killed computer ended as if it had been asked to")
	}
	m.qemu = nil
}

// await tries until what is wanted is there, as long as the computer runs.
func (m *vm) await(what string, ready func() error) {
	m.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		err := ready()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%s: not within %v: %v", what, patience, err)
		}
		select {
		case err := <-m.ended:
			m.ended <- err
			m.t.Fatalf("%s: the computer is off: %v\n%s", what, err, m.qemu.Stdout)
		case <-time.After(2 * time.Second): // strangers may ask the API once a second
		}
	}
}

// ssh runs a command as root on the box and returns what it prints.
func (m *vm) ssh(script string) (string, error) {
	return m.pipe(nil, script)
}

func (m *vm) pipe(in []byte, script string) (string, error) {
	ctx, cancel := context.WithTimeout(m.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "ssh", m.sshArgs(script)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.Output()
	if err != nil {
		var why []byte
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			why = exit.Stderr
		}
		err = fmt.Errorf("%s: %w: %s", script, err, why)
	}
	return string(out), err
}

func (m *vm) sshArgs(more ...string) []string {
	return append([]string{
		"-F", "none", "-p", m.shell, "-i", filepath.Join(m.dir, "key"), "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
		"-o", "UserKnownHostsFile=" + filepath.Join(m.dir, "known"), "-o", "StrictHostKeyChecking=accept-new",
		"-o", "ConnectTimeout=120", "-o", "ServerAliveInterval=30", "-o", "ServerAliveCountMax=20", "-o", "LogLevel=ERROR", "root@127.0.0.1",
	}, more...)
}

// must is [vm.ssh] of a command that has to succeed.
func (m *vm) must(script string) string {
	m.t.Helper()
	out, err := m.ssh(script)
	if err != nil {
		m.t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// awaitShell waits until the box lets root in.
func (m *vm) awaitShell() {
	m.t.Helper()
	m.await("SSH", func() error {
		_, err := m.ssh("true")
		return err
	})
}

// command runs a program of this machine and returns its standard output.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	var said bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, said.Bytes())
	}
	return string(out)
}

// needed returns the value of an environment variable, without which the test skips.
func needed(t *testing.T, name string) string {
	t.Helper()
	value := os.Getenv(name)
	if value == "" {
		t.Skipf("%s is not set; make image-test sets it", name)
	}
	return value
}
