package bitcoind

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ended returns the state of a process that ended as the shell command does.
func ended(t *testing.T, command string) *os.ProcessState {
	t.Helper()
	c := exec.CommandContext(t.Context(), "/bin/sh", "-c", command)
	_ = c.Run()
	return c.ProcessState
}

// The log lines are those of Bitcoin Knots 29.5 in the situation that the name
// tells, with the unimportant ones left out.
func TestClassify(t *testing.T) {
	const after = "\n2026-11-22T20:25:12Z Shutdown: In progress...\n2026-11-22T20:25:12Z Shutdown: done"
	tests := []struct {
		name  string
		exit  string
		log   string
		class Class
		text  string // a part of it
	}{
		{
			"second node on a data directory", "exit 1",
			"Error: Cannot obtain a lock on directory /node/signet. Bitcoin Knots is probably already running.",
			ClassLock, "waiting for it",
		},
		{
			"disk full at start", "exit 1",
			"2026-11-22T20:25:47Z [error] A fatal internal error occurred, see  for details: Disk space is too low!\n" +
				"Error: A fatal internal error occurred, see  for details: Disk space is too low!\n" +
				"2026-11-22T20:25:47Z [error] FindNextBlockPos failed for FlatFilePos(nFile=-1, nPos=0) while writing block\n" +
				"2026-11-22T20:25:47Z [error] Error initializing block database\n" +
				"Error: Error initializing block database" + after,
			ClassDisk, "Free some space",
		},
		{
			"disk turned read-only", "exit 1",
			"2026-11-23T02:41:46Z [error] Unable to open file /node/regtest/blocks/blk00000.dat\n" +
				"Error: A fatal internal error occurred, see  for details: Failed to write block.\n" +
				"2026-11-23T02:41:46Z DeleteAuthCookie: Unable to remove random auth cookie file /node/regtest/.cookie: Read-only file system\n" +
				"Error: A fatal internal error occurred, see  for details: Flushing block file to disk failed. This is likely the result of an I/O error." + after,
			ClassDrive, "has made it read-only",
		},
		{
			"block files cannot be written", "exit 1",
			"Error: A fatal internal error occurred, see  for details: Flushing block file to disk failed. This is likely the result of an I/O error." + after,
			ClassDrive, "probably failing",
		},
		{
			"directory of another implementation, said by our launcher", "exit 1",
			"/node was used by Bitcoin Knots, which marks blocks of this network otherwise than Bitcoin Core. Move the directory away",
			ClassDirectory, "/node was used by Bitcoin Knots",
		},
		{
			"clock set back", "exit 1",
			"2026-11-22T20:25:15Z init message: Verifying blocks…\n" +
				"2026-11-22T20:25:15Z : The block database contains a block which appears to be from the future. This may be due to your computer's date and time being set incorrectly.\n" +
				"Please restart with -reindex or -reindex-chainstate to recover." + after,
			ClassClock, "do not rebuild",
		},
		{
			"RPC port taken", "exit 1",
			"2026-11-22T20:24:28Z [warning] Binding RPC on address 127.0.0.1 port 28999 failed (Error: Address already in use (98)).\n" +
				"2026-11-22T20:24:28Z [error] Unable to bind all endpoints for RPC server\n" +
				"Error: Unable to start HTTP server. See debug log for details." + after,
			ClassPort, "port 28999",
		},
		{
			"P2P port taken", "exit 1",
			"2026-11-22T20:25:38Z [net:error] Unable to bind to 127.0.0.1:28901 on this computer. Bitcoin Knots is probably already running.\n" +
				"Error: Failed to listen on any port. Use -listen=0 if you want this." + after,
			ClassPort, "127.0.0.1:28901",
		},
		{
			"nonsense in bitcoin.conf", "exit 1",
			"Error: Error reading configuration file: parse error on line 28: garbage",
			ClassConfig, "configuration: Error reading configuration file: parse error on line 28",
		},
		{
			"another challenge's directory", "exit 1",
			"Error: Invalid or corrupt peers.dat (Invalid network magic number). If you believe this is a bug, please report it." + after,
			ClassDirectory, "another chain",
		},
		{
			"directory of another user", "exit 1",
			"Error: filesystem error: cannot create directories: Permission denied [/node/signet/wallets]",
			ClassDirectory, "may not write",
		},
		{
			"damaged chain state", "exit 1",
			"2026-11-22T20:25:12Z [error] Fatal LevelDB error: Corruption: no meta-nextfile entry in descriptor\n" +
				"2026-11-22T20:25:12Z : Error opening coins database.\n" +
				"Please restart with -reindex or -reindex-chainstate to recover." + after,
			ClassChainstate, "database of coins is damaged",
		},
		{
			"damaged block index", "exit 1",
			"2026-11-22T20:25:12Z [error] Fatal LevelDB error: Corruption: no meta-nextfile entry in descriptor\n" +
				"2026-11-22T20:25:12Z : Error opening block database.\n" +
				"Please restart with -reindex or -reindex-chainstate to recover." + after,
			ClassBlocks, "index, are damaged",
		},
		{
			"coins found damaged while running", "kill -ABRT $$",
			"2026-11-22T20:25:12Z [error] Fatal LevelDB error: Corruption: block checksum mismatch: /node/chainstate/000005.ldb\n" +
				"2026-11-22T20:25:12Z Error reading from database: Fatal LevelDB error",
			ClassChainstate, "database of coins",
		},
		{
			"index found damaged while running", "exit 1",
			"2026-11-22T20:25:12Z [error] Fatal LevelDB error: Corruption: block checksum mismatch: /node/blocks/index/000005.ldb",
			ClassBlocks, "block files",
		},
		{
			"damaged block", "exit 1",
			"2026-11-22T20:25:12Z [error] ReadRawBlock: Block magic mismatch for FlatFilePos(nFile=0, nPos=28369): d1875b03 versus expected fabfb5da\n" +
				"2026-11-22T20:25:12Z : Corrupted block database detected.\nPlease restart with -reindex or -reindex-chainstate to recover." + after,
			ClassBlocks, "block files",
		},
		{
			"failing disk", "exit 1",
			"2026-11-22T20:25:12Z [error] Fatal LevelDB error: IO error: /node/chainstate/000005.ldb: Input/output error\n" +
				"2026-11-22T20:25:12Z : Error opening coins database." + after,
			ClassDrive, "replace it",
		},
		{
			"pruned chain to be kept whole", "exit 1",
			": You need to rebuild the database using -reindex to go back to unpruned mode.  This will redownload the entire blockchain.\n" +
				"Please restart with -reindex or -reindex-chainstate to recover." + after,
			ClassConfig, "unpruned mode",
		},
		{
			"something new", "exit 1",
			"2026-11-22T20:25:12Z [error] Something that nobody has seen before.\nError: Something that nobody has seen before." + after,
			ClassCrash, "error: Something that nobody has seen before",
		},
		{"silent end", "exit 3", "2026-11-22T20:25:12Z Bound to 127.0.0.1:28902", ClassCrash, "exit status 3"},
		{"killed", "kill -KILL $$", "", ClassKilled, "out of memory"},
		{"aborted", "kill -ABRT $$", "", ClassKilled, "signal 6 (aborted)"},
		{"stopped by somebody else", "exit 0", after, ClassStopped, "not the pool"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := classify(endingOf(ended(t, test.exit)), strings.Split(test.log, "\n"), "/node")
			if got.class != test.class || !strings.Contains(got.text, test.text) {
				t.Errorf("classify = %+v, want class %s and a text with %q", got, test.class, test.text)
			}
		})
	}
}

func TestClassifyLooksOnlyAtTheEnd(t *testing.T) {
	lines := append([]string{"2026-11-22T20:25:12Z Disk space is too low!"}, make([]string, lastLines)...)
	if got := classify(endingOf(ended(t, "exit 0")), lines, "/node"); got.class != ClassStopped {
		t.Errorf("class = %s, want %s: what was long ago is no reason", got.class, ClassStopped)
	}
}

func TestRing(t *testing.T) {
	var emitted []string
	r := newRing(3, func(line string) { emitted = append(emitted, line) })
	write := func(s string) {
		t.Helper()
		if n, err := r.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", s, n, err)
		}
	}

	write("one\r\nt")
	write("wo\nthree")
	mark := r.mark()
	write("\nfo\xffur\nfi")
	r.flush()
	r.flush()
	long := strings.Repeat("x", maxLine+1)
	write(long + "\n")

	all := []string{"one", "two", "three", "fo\uFFFDur", "fi", long[:maxLine], "x"}
	if diff := cmp.Diff([]string{"fi", long[:maxLine], "x"}, r.since(0)); diff != "" {
		t.Errorf("the newest three (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"fi", long[:maxLine], "x"}, r.since(mark)); diff != "" {
		t.Errorf("since the mark, as far as held (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"x"}, r.since(r.mark()-1)); diff != "" {
		t.Errorf("the last (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(all, emitted); diff != "" {
		t.Errorf("emitted (-want +got):\n%s", diff)
	}
}

func TestPorts(t *testing.T) {
	ports, err := FreePorts(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[int]bool)
	for _, port := range ports {
		if seen[port] {
			t.Errorf("port %d came twice in %v", port, ports)
		}
		seen[port] = true
		if err := CheckPort(t.Context(), port); err != nil {
			t.Errorf("CheckPort(%d) = %v, want nil", port, err)
		}
	}
}
