package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// backupFlags are those of all that `dmpool backup` does.
type backupFlags struct {
	dataDir    string
	passphrase string // a file
	yes        bool
	paid       bool
	scratch    string
}

// backups makes, lists, tries out and restores backups. All but restoring works beside a
// running pool.
func backups(ctx context.Context, c *cli) error {
	var f backupFlags
	c.flags.StringVar(&f.dataDir, "data-dir", ownDataDir(), "folder that holds everything of this box")
	c.flags.StringVar(&f.passphrase, "passphrase-file", "", "file whose first line is the passphrase, - for standard input; without it the terminal is asked")
	c.flags.BoolVar(&f.yes, "yes", false, "restore without asking once more")
	c.flags.BoolVar(&f.paid, "although-paid", false, "restore even behind payments that the box has made since; payouts freeze then until somebody has looked")
	c.flags.StringVar(&f.scratch, "scratch", "", "folder in which verify FILE unpacks the file, with all secrets in it, and removes that again; without it the data directory's, else the folder of the file")
	verbs := map[string]struct {
		operands []string
		run      func(context.Context, *cli, backupFlags) error
	}{
		"create":     {nil, createBackup},
		"list":       {nil, listBackups},
		"verify":     {[]string{"[FILE]"}, verifyBackup},
		"restore":    {[]string{"FILE"}, restoreBackup},
		"passphrase": {nil, setBackupPassphrase},
	}
	if len(c.args) == 0 || strings.HasPrefix(c.args[0], "-") {
		if err := c.parse(); err != nil {
			return err
		}
		return errors.New("say what to do: dmpool backup create, list, verify [FILE], restore FILE, or passphrase")
	}
	verb, known := verbs[c.args[0]]
	if !known {
		return fmt.Errorf("%q is not understood: dmpool backup create, list, verify [FILE], restore FILE, or passphrase", c.args[0])
	}
	c.args = flagsFirst(c.args[1:])
	if err := c.parse(verb.operands...); err != nil {
		return err
	}
	return verb.run(ctx, c, f)
}

// flagsFirst puts operands behind the flags, so that they may stand before them.
func flagsFirst(args []string) []string {
	n := 0
	for n < len(args) && !strings.HasPrefix(args[n], "-") {
		n++
	}
	return append(args[n:len(args):len(args)], args[:n]...)
}

// beside is the data directory, for its owner.
func (f backupFlags) beside(c *cli) (appliance.Beside, error) {
	b := appliance.Beside{Dir: f.dataDir, Release: release, Work: c.backupWork, Logger: f.logger(c)}
	if filepath.Clean(f.dataDir) == installedDataDir { // whose node has folders of its own
		b.Places = &bitcoind.Places{}
	}
	return b, becomeOwner(f.dataDir)
}

// logger tells only what somebody at the terminal should know.
func (f backupFlags) logger(c *cli) *slog.Logger {
	return slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func createBackup(ctx context.Context, c *cli, f backupFlags) error {
	box, err := f.beside(c)
	if err != nil {
		return err
	}
	b, err := box.Create(ctx)
	if b.Sound {
		fmt.Fprintf(c.stdout, "Made %s (%s) and restored it to a scratch place: it is good.\n", b.Name, megabytes(b.Size))
		printCopies(c.stdout, b)
	}
	if b.Notice != "" {
		fmt.Fprintln(c.stdout, b.Notice)
	}
	return err
}

func listBackups(ctx context.Context, c *cli, f backupFlags) error {
	const most = 100
	box, err := f.beside(c)
	if err != nil {
		return err
	}
	all, err := box.List(ctx, most)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		fmt.Fprintln(c.stdout, "There is no backup yet. dmpool backup create makes one.")
	}
	for _, b := range all {
		verdict := "good, tried out " + b.CheckedAt.Local().Format(time.DateTime)
		if !b.Sound {
			verdict = b.Problem
		}
		fmt.Fprintf(c.stdout, "%s  %10s  %s\n", b.Name, megabytes(b.Size), verdict)
		printCopies(c.stdout, b)
	}
	return nil
}

// printCopies says where a backup is.
func printCopies(out io.Writer, b appliance.Backup) {
	for _, place := range b.Copies {
		switch {
		case place.There() && !place.Whole():
			fmt.Fprintf(out, "    damaged in %s: %s\n", place.Place, place.Problem)
		case place.There():
			fmt.Fprintf(out, "    in %s since %s\n", place.Place, place.At.Local().Format(time.DateTime))
		case place.Problem != "":
			fmt.Fprintf(out, "    not in %s: %s\n", place.Place, place.Problem)
		}
	}
}

// verifyBackup tries out the newest backup of the box, or a file, which may be another
// box's.
func verifyBackup(ctx context.Context, c *cli, f backupFlags) error {
	if file := c.flags.Arg(0); file != "" {
		in, err := os.Open(file)
		if err != nil {
			return fmt.Errorf("open backup: %w", err)
		}
		defer in.Close()
		passphrase, err := f.ask(c, "Passphrase of the backup: ")
		if err != nil {
			return err
		}
		scratch, err := f.scratchFor(file)
		if err != nil {
			return err
		}
		fmt.Fprintf(c.stderr, "The file is unpacked into a folder in %s, with all secrets in it; that folder is removed afterwards.\n", scratch)
		p, err := appliance.VerifyFile(ctx, in, scratch, passphrase, f.logger(c))
		if err != nil {
			return err
		}
		printBackup(c.stdout, p)
		fmt.Fprintln(c.stdout, "It was restored to a scratch place: it is good.")
		return nil
	}
	box, err := f.beside(c)
	if err != nil {
		return err
	}
	b, err := box.Verify(ctx)
	if err != nil {
		printCopies(c.stdout, b)
		return err
	}
	fmt.Fprintf(c.stdout, "%s was restored to a scratch place: it is good.\n", b.Name)
	return nil
}

// scratchFor is where a file is unpacked. In a data directory its owner does that, who
// can also remove what is left of it.
func (f backupFlags) scratchFor(file string) (string, error) {
	if f.scratch != "" {
		return f.scratch, nil
	}
	if own := appliance.ScratchFolder(f.dataDir); own != "" {
		return own, becomeOwner(f.dataDir)
	}
	return filepath.Dir(file), nil
}

func setBackupPassphrase(ctx context.Context, c *cli, f backupFlags) error {
	passphrase, err := f.askTwice(c)
	if err != nil {
		return err
	}
	box, err := f.beside(c)
	if err != nil {
		return err
	}
	if err := box.SetPassphrase(ctx, passphrase); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "Backups are encrypted with this passphrase from now on. Keep it where the box is not: without it no backup opens.")
	return nil
}

// ask returns the passphrase that somebody types, or that is in a file.
func (f backupFlags) ask(c *cli, prompt string) (string, error) {
	in := c.stdin
	if f.passphrase != "" && f.passphrase != "-" {
		file, err := os.Open(f.passphrase)
		if err != nil {
			return "", fmt.Errorf("read passphrase: %w", err)
		}
		defer file.Close()
		in = file
	}
	if terminal, ok := in.(*os.File); ok && isTerminal(terminal) {
		show, err := hideTyping(terminal)
		if err != nil {
			return "", err
		}
		defer show()
		fmt.Fprint(c.stderr, prompt)
		defer fmt.Fprintln(c.stderr)
	}
	return readPassphrase(in)
}

func (f backupFlags) askTwice(c *cli) (string, error) {
	first, err := f.ask(c, "New passphrase for backups: ")
	if terminal, ok := c.stdin.(*os.File); err != nil || f.passphrase != "" || !ok || !isTerminal(terminal) {
		return first, err
	}
	second, err := f.ask(c, "Once more: ")
	if err == nil && first != second {
		err = errors.New("the two passphrases differ; nothing was changed")
	}
	return first, err
}

// readPassphrase reads one line, and no byte behind it: an answer to a question may follow.
func readPassphrase(in io.Reader) (string, error) {
	const most = 1024
	var line []byte
	one := make([]byte, 1)
	for len(line) < most {
		if _, err := io.ReadFull(in, one); err != nil && (!errors.Is(err, io.EOF) || len(line) == 0) {
			return "", errors.New("no passphrase was given")
		} else if err != nil || one[0] == '\n' {
			break
		}
		line = append(line, one[0])
	}
	return strings.TrimRight(string(line), "\r"), nil
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }

// confirmed asks for a yes.
func confirmed(c *cli, question string) bool {
	fmt.Fprint(c.stderr, question)
	line, err := bufio.NewReader(io.LimitReader(c.stdin, 4096)).ReadString('\n')
	return err == nil && strings.TrimSpace(line) == "yes"
}
