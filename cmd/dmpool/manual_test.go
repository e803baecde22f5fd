package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the manual page anew")

// flagsOf returns the flags of a command, as it defines them.
func flagsOf(t *testing.T, cmd command) *flag.FlagSet {
	t.Helper()
	c := &cli{flags: flag.NewFlagSet(cmd.name, flag.ContinueOnError), args: []string{"-h"}, stdout: io.Discard, stderr: io.Discard}
	c.flags.SetOutput(io.Discard)
	if err := cmd.run(context.Background(), c); exitCode(err, io.Discard) != 0 {
		t.Fatalf("%s -h: %v", cmd.name, err)
	}
	return c.flags
}

// dashed is a flag as people type it.
func dashed(f *flag.Flag) string {
	if len(f.Name) == 1 {
		return "-" + f.Name
	}
	return "--" + f.Name
}

// TestManual holds the manual page against the commands and their flags.
func TestManual(t *testing.T) {
	const file = "../../packaging/man/dmpool.8"
	const begin, end = "-update`.\n", ".\\\" From here on by hand.\n"
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(page), begin)
	_, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s lacks the lines between which the commands stand", file)
	}
	t.Setenv("HOME", "~")
	t.Setenv("XDG_DATA_HOME", "")
	var commandsPart strings.Builder
	for _, cmd := range commands() {
		fmt.Fprintf(&commandsPart, ".SS dmpool %s\n%s\n", troff(cmd.usage), troff(cmd.text))
		flagsOf(t, cmd).VisitAll(func(f *flag.Flag) {
			kind, text := flag.UnquoteUsage(f)
			if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" && f.DefValue != "0s" && f.Name != "t" {
				text += fmt.Sprintf(" (%s)", f.DefValue)
			}
			fmt.Fprintf(&commandsPart, ".TP\n.BI %s \" %s\"\n%s\n", troff(dashed(f)), kind, troff(text))
		})
	}
	want := head + begin + commandsPart.String() + end + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(page)); diff != "" {
		t.Errorf("the manual page is not up to date; `go test ./cmd/dmpool -run Manual -update` writes it (-want +got):\n%s", diff)
	}
}

// troff keeps a text from being read as orders.
func troff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// TestCompletion asks bash what it offers.
func TestCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	complete := func(words ...string) []string {
		t.Helper()
		const script = `source ../../packaging/bash/dmpool && COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) && _dmpool && printf '%s\n' "${COMPREPLY[@]}"`
		c := exec.CommandContext(t.Context(), bash, append([]string{"-euc", script, "bash", "dmpool"}, words...)...)
		c.Stderr = os.Stderr
		out, err := c.Output()
		if err != nil {
			t.Fatalf("%q: %v", words, err)
		}
		return strings.Fields(string(out))
	}
	var names []string
	for _, cmd := range commands() {
		names = append(names, cmd.name)
	}
	if diff := cmp.Diff(names, complete("")); diff != "" {
		t.Errorf("commands (-want +got):\n%s", diff)
	}
	for _, cmd := range commands() {
		want := []string{}
		flagsOf(t, cmd).VisitAll(func(f *flag.Flag) { want = append(want, dashed(f)) })
		if diff := cmp.Diff(want, complete(cmd.name, "-")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", cmd.name, diff)
		}
	}
	if diff := cmp.Diff([]string{"create", "list", "verify", "restore", "passphrase"}, complete("backup", "")); diff != "" {
		t.Errorf("what to do about backups (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"--answers"}, complete("setup", "--an")); diff != "" {
		t.Errorf("the beginning of a flag (-want +got):\n%s", diff)
	}
	if got := complete("verify-split", "x"); len(got) > 0 {
		t.Errorf("for a file = %q, want bash's own names of files", got)
	}
}
