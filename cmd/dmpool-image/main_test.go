package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

// machine is a folder that stands for a box.
type machine struct {
	t *testing.T
	box
}

func newMachine(t *testing.T) machine {
	m := machine{t, box{t.TempDir()}}
	for _, dir := range []string{"efi", "run/dmpool-image", "var/lib/dmpool"} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m machine) write(path, text string) {
	m.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m machine) run(args ...string) {
	m.t.Helper()
	if err := run(m.root, args); err != nil {
		m.t.Fatal(err)
	}
}

// read returns a file's text, empty for none.
func (m machine) read(path string) string {
	m.t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		m.t.Fatal(err)
	}
	return string(text)
}

func TestBootFile(t *testing.T) {
	m := newMachine(t)
	m.run("boot-file")
	if m.read(m.keys())+m.read(m.claimWish())+m.read(m.wrong()) != "" {
		t.Error("something was taken from no file")
	}

	m.write(m.bootFile(), "ssh-key = "+key+" me\nclaim-code = abcde12345\nnonsense\n")
	m.run("boot-file")
	if keys, code, wrong := m.read(m.keys()), m.read(m.claimWish()), m.read(m.wrong()); keys != key+"\n" || code != "ABCDE-12345\n" || !strings.HasPrefix(wrong, "line 3") {
		t.Errorf("keys %q, code %q, wrong %q", keys, code, wrong)
	}

	// What is taken away from the file is taken away, and what cannot be read is nothing.
	m.write(m.bootFile(), "claim-code = abcde12345\n")
	m.run("boot-file")
	if m.read(m.keys()) != "" || m.read(m.claimWish()) == "" {
		t.Error("the key is still there, or the code is not")
	}
	for _, lay := range []func() error{
		func() error { return os.Mkdir(m.bootFile(), 0o700) },
		func() error { return os.Symlink("/etc/passwd", m.bootFile()) },
		func() error { return os.WriteFile(m.bootFile(), make([]byte, 1<<20), 0o600) },
	} {
		if err := os.Remove(m.bootFile()); err != nil {
			t.Fatal(err)
		}
		if err := lay(); err != nil {
			t.Fatal(err)
		}
		m.run("boot-file")
		if m.read(m.keys())+m.read(m.claimWish()) != "" || m.read(m.wrong()) != "the file cannot be read\n" {
			t.Errorf("wrong = %q", m.read(m.wrong()))
		}
	}
}

func TestScreen(t *testing.T) {
	m := newMachine(t)
	shows := func(want bool, part string) {
		t.Helper()
		if text := m.read(m.screen()); strings.Contains(text, part) != want {
			t.Errorf("the screen shows:\n%s\nwhich should hold %q: %t", text, part, want)
		}
	}
	m.write(m.claimCode(), "ABCDE-12345\nhttp://192.168.1.50:8080\n")
	m.run("screen")
	shows(true, "claim code   ABCDE-12345\n")
	shows(true, `http://\4/setup`)
	shows(false, "SSH")

	// The pool's file is not the screen's.
	m.write(m.claimCode(), "\x1b[2J\\o\nhttp://192.168.1.50:8080\n")
	m.run("screen")
	shows(false, "\x1b")
	shows(false, "claim code")

	if err := os.Remove(m.claimCode()); err != nil {
		t.Fatal(err)
	}
	m.write(m.bootFile(), "ssh-key = "+key+"\n\\4\n")
	m.run("boot-file")
	m.run("screen")
	shows(true, "SSH is on")
	shows(true, "dmpool-setup.txt: line 2: there is no =")
	shows(false, "/setup")
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"screen", "more"}, {"nonsense"}} {
		if err := run(t.TempDir(), args); err == nil {
			t.Errorf("run(%q) = nil", args)
		}
	}
}
