package bitcoind

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// bundled is where a package or a disk image keeps its own node.
const bundled = "/usr/lib/dmpool/node/current/bin/bitcoind"

// ErrNotFound is returned by Find when there is no bitcoind on this machine.
var ErrNotFound = errors.New("no bitcoind found: install Bitcoin Core from bitcoincore.org and put it in PATH, " +
	"or set DMPOOL_BITCOIND to its path (in a checkout, scripts/bitcoind.sh prints one)")

// Find returns the absolute path of a bitcoind: explicit or else
// $DMPOOL_BITCOIND, which must be right when they are given; then the one that
// came with DMPool; then the one in $PATH. The error is a sentence for the
// operator, ErrNotFound when there is none at all.
func Find(explicit string) (string, error) {
	if explicit == "" {
		explicit = os.Getenv("DMPOOL_BITCOIND")
	}
	if explicit != "" {
		path, err := executable(explicit)
		if err != nil {
			return "", fmt.Errorf("%s is not a program that can be started: %w", explicit, err)
		}
		return path, nil
	}

	for _, name := range []string{bundled, "bitcoind"} {
		if path, err := executable(name); err == nil {
			return path, nil
		}
	}

	return "", ErrNotFound
}

func executable(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		if wrapped, ok := errors.AsType[*exec.Error](err); ok {
			err = wrapped.Err
		}
		return "", err
	}

	return filepath.Abs(path)
}

var versionLine = regexp.MustCompile(`^(.+?)(?: daemon)? version v(\S+)`)

// Version asks the program at path for its name and version, such as
// "Bitcoin Core 31.1.0".
func Version(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()

	command := exec.CommandContext(ctx, path, "-version")
	command.WaitDelay = time.Second
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("ask %s for its version: %w", path, err)
	}

	line, _, _ := strings.Cut(string(out), "\n")
	match := versionLine.FindStringSubmatch(line)
	if match == nil {
		return "", fmt.Errorf("%s is not a bitcoind: it calls itself %q", path, line)
	}

	return match[1] + " " + match[2], nil
}
