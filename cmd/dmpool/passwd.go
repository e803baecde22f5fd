package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance"
)

// passwd sets an operator's password, adds an operator, or resets a second factor: the password is typed
// twice at a terminal, or is the first line of standard input.
func passwd(ctx context.Context, c *cli) error {
	dataDir := c.flags.String("data-dir", ownDataDir(), "folder that holds everything of this box")
	name := c.flags.String("user", "", "operator who gets the password, or is added; may be left out while there is only one")
	reset := c.flags.Bool("reset-second-factor", false, "take away the operator's second factor instead, when phone and recovery codes are lost")
	if err := c.parse(); err != nil {
		return err
	}
	if err := becomeOwner(*dataDir); err != nil {
		return err
	}
	if *reset {
		return resetFactor(ctx, c, *dataDir, *name)
	}
	password, err := askPassword(c)
	if err != nil {
		return err
	}
	user, added, err := appliance.SetPassword(ctx, *dataDir, *name, password)
	if err != nil {
		return err
	}
	did := "has a new password, and no token of theirs is good any more"
	if added {
		did = "is a new operator"
	}
	fmt.Fprintf(c.stdout, "%s %s; everybody is signed out.\n", user, did)
	return nil
}

func resetFactor(ctx context.Context, c *cli, dataDir, name string) error {
	user, had, err := appliance.ResetFactor(ctx, dataDir, name)
	if err != nil {
		return err
	}
	if !had {
		fmt.Fprintf(c.stdout, "%s has no second factor.\n", user)
		return nil
	}
	fmt.Fprintf(c.stdout, "%s signs in with the password alone now, is signed out, and has no tokens any more.\n", user)
	return nil
}

func askPassword(c *cli) (string, error) {
	in := bufio.NewReader(io.LimitReader(c.stdin, 4096))
	terminal, ok := c.stdin.(*os.File)
	if !ok || !isTerminal(terminal) {
		return readLine(in)
	}
	show, err := hideTyping(terminal)
	if err != nil {
		return "", err
	}
	defer show()
	fmt.Fprint(c.stderr, "New password: ")
	first, err := readLine(in)
	if err != nil {
		return "", err
	}
	fmt.Fprint(c.stderr, "\nOnce more: ")
	second, err := readLine(in)
	fmt.Fprintln(c.stderr)
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

func readLine(in *bufio.Reader) (string, error) {
	line, err := in.ReadString('\n')
	if err != nil && line == "" {
		return "", errors.New("no password was given")
	}
	return strings.TrimRight(line, "\r\n"), nil
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// hideTyping switches the terminal's echo off; the function that it returns
// switches it on again.
func hideTyping(f *os.File) (show func(), err error) {
	state, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read terminal state: %w", err)
	}
	hidden := *state
	hidden.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, &hidden); err != nil {
		return nil, fmt.Errorf("hide typing: %w", err)
	}
	return func() { _ = unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, state) }, nil
}
