package bitcoind

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"regexp"
	"syscall"
)

var missingLibrary = regexp.MustCompile(`version .(GLIBC(?:XX)?_[0-9.]+). not found`)

// Runs starts the program at path to ask for its name and version, as [Version]
// does. The error is a sentence on why a program that should run here does not.
func Runs(ctx context.Context, path string) (string, error) {
	said, err := Version(ctx, path)
	if err == nil {
		return said, nil
	}
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if errors.Is(err, syscall.ENOEXEC) {
		if made := madeFor(path); made != "" {
			return "", fmt.Errorf("the program is made for another kind of machine (%s)", made)
		}
		return "", errors.New("the file is no program for this machine")
	}
	if errors.Is(err, fs.ErrNotExist) && madeFor(path) != "" {
		return "", errors.New("this system lacks the loader that the program asks for; Bitcoin Core needs a Linux with glibc, such as Debian or Ubuntu")
	}
	if errors.Is(err, fs.ErrPermission) {
		return "", errors.New("this folder does not allow programs to be started (mounted with noexec?)")
	}
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		if match := missingLibrary.FindSubmatch(ended.Stderr); match != nil {
			return "", fmt.Errorf("this system is too old for the program: it lacks %s. Update the system, or choose an older version", match[1])
		}
		if words := bytes.TrimSpace(ended.Stderr); len(words) > 0 {
			return "", fmt.Errorf("the program gives up at once: %.200s", words)
		}
	}
	return "", err
}

// madeFor names the machine that a program is for, "" when it is no program.
func madeFor(path string) string {
	f, err := elf.Open(path)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	return f.Machine.String()
}
