package bitcoind

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
)

// failure is why a node does not run. The zero value means that it ended
// because it was asked to.
type failure struct {
	class  Class
	text   string // a sentence, and the next step
	repair Repair // that a person may order
}

// ending is how a process ended: by a signal, or else by itself with a status.
type ending struct {
	status int
	signal syscall.Signal
}

// endingOf is the ending of a child.
func endingOf(p *os.ProcessState) ending {
	if status, ok := p.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return ending{signal: status.Signal()}
	}
	return ending{status: p.ExitCode()}
}

// lastLines is how far back from the end a reason is looked for.
const lastLines = 100

// classify finds out why the node ended by itself, from its exit status and
// the lines that it logged.
func classify(exit ending, lines []string, dir string) failure {
	lines = lines[max(0, len(lines)-lastLines):]

	// The first rule whose text appears decides: a full disk also looks like
	// a database that cannot be opened, and not the other way round.
	rules := []struct {
		class Class
		text  string   // may hold %s for the log line
		signs []string // any of them; * is anything in the same line
	}{
		{
			ClassLock, "Another bitcoind still uses " + dir + "; waiting for it to finish",
			[]string{"Cannot obtain a lock on"},
		},
		{
			ClassDisk, full(dir),
			[]string{"Disk space is too low", "No space left on device"},
		},
		{
			ClassClock, "The chain has a block from the future, so this machine's clock is probably wrong. " +
				"Set the clock; do not rebuild the chain for this",
			[]string{"appears to be from the future"},
		},
		{
			ClassPort, "A port that the node needs is taken: %s. Stop the other program or choose another port",
			[]string{"Address already in use", "Unable to bind to", "Unable to start HTTP server"},
		},
		{
			ClassConfig, "The node refuses its configuration: %s",
			[]string{
				"Error reading configuration file", "Error parsing command line", "Config setting for",
				"Settings file could not be read", "Prune configured below", "to go back to unpruned mode", "which is ignored, because a different configuration",
			},
		},
		{
			ClassDirectory, dir + " holds the files of another chain. Choose another data directory, or move that one away",
			[]string{"Invalid network magic number", "Incorrect or no genesis block", "Wrong datadir for network"},
		},
		{
			ClassDirectory, "%s", // our own words, see Conf.inherit
			[]string{usedBy + "Bitcoin "},
		},
		{
			ClassDrive, readOnly(dir),
			[]string{"Read-only file system"},
		},
		{
			ClassDirectory, "The node may not write to " + dir + ": %s. Give the directory to the user that runs the pool",
			[]string{"Permission denied", "Cannot write to directory"},
		},
		{
			ClassWallet, "A wallet file is damaged: %s. Restore it from a backup",
			[]string{"database disk image is malformed", "Wallet corrupted", "wallet.dat corrupt"},
		},
		{
			ClassDrive, failing(dir, "%s"),
			[]string{"Input/output error", "likely the result of an I/O error"},
		},
		{
			ClassChainstate, "The node's database of coins is damaged",
			[]string{
				"Error opening coins database", "Corruption:*/chainstate/", "Error reading from database, shutting down",
				"Unable to replay blocks", "Unsupported chainstate database format",
			},
		},
		{
			ClassBlocks, "The node's block files, or their index, are damaged",
			[]string{
				"Error opening block database", "Error loading block database", "Error initializing block database",
				"Corruption:*/blocks/index/", "Corrupted block database detected", "block checksum mismatch",
				"requires validation. Please restart with -reindex",
			},
		},
	}
	for _, rule := range rules {
		for _, sign := range rule.signs {
			if line, ok := find(lines, sign); ok {
				return failure{class: rule.class, text: strings.ReplaceAll(rule.text, "%s", line)}
			}
		}
	}

	last, ok := find(lines, "Error: ")
	if !ok {
		last, _ = find(lines, "error] ")
	}
	switch {
	case exit.signal == syscall.SIGKILL:
		return failure{class: ClassKilled, text: "The node was killed. If nobody did that, the machine ran out of memory: see its kernel log"}
	case exit.signal != 0:
		return failure{class: ClassKilled, text: fmt.Sprintf("The node was ended by signal %d (%s)", exit.signal, exit.signal)}
	case exit.status == 0:
		return failure{class: ClassStopped, text: "Somebody stopped the node, not the pool"}
	case last != "":
		return failure{class: ClassCrash, text: "The node ended with an error: " + last}
	default:
		return failure{class: ClassCrash, text: fmt.Sprintf("The node ended (exit status %d) and its log does not say why", exit.status)}
	}
}

// readOnly tells of a disk that takes no more writes.
func readOnly(dir string) string {
	return "The disk that holds " + dir + " cannot be written: the system has made it read-only, as it does after an error of the drive. " +
		"Look into the kernel's log, save the copies of the wallet and the ledger elsewhere, and have the disk checked or replaced"
}

// unwritable tells why nothing can be written to the node's directory.
func unwritable(dir string, err error) failure {
	switch {
	case errors.Is(err, syscall.EROFS):
		return failure{class: ClassDrive, text: readOnly(dir)}
	case errors.Is(err, syscall.ENOSPC):
		return failure{class: ClassDisk, text: full(dir)}
	case errors.Is(err, syscall.EIO):
		return failure{class: ClassDrive, text: failing(dir, err.Error())}
	}
	return failure{class: ClassDirectory, text: "The node cannot start: " + err.Error()}
}

func full(dir string) string {
	return "The disk that holds " + dir + " is full. Free some space; the node then starts by itself"
}

func failing(dir, why string) string {
	return "The disk that holds " + dir + " cannot be read or written: " + why + ". It is probably failing. " +
		"Save the copies of the wallet and the ledger elsewhere and replace it"
}

// find returns the first line that holds sign, without time stamp and marks.
func find(lines []string, sign string) (string, bool) {
	first, second, _ := strings.Cut(sign, "*")
	for _, line := range lines {
		if _, rest, ok := strings.Cut(line, first); ok && strings.Contains(rest, second) {
			return strings.TrimRight(logPrefix.ReplaceAllString(line, ""), ". "), true
		}
	}
	return "", false
}

// logPrefix matches "2026-11-22T20:25:38Z [net:error] " and "Error: ".
var logPrefix = regexp.MustCompile(`^(\d{4}-\d\d-\d\dT[\d:.]+Z )?(\[[a-z:]+\] )?((Error)?: )?`)
