// Command dmpool is a Bitcoin mining pool in a box. See the README, or run it
// without arguments.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	_ "time/tzdata" // small systems know no time zones
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second Ctrl-C is obeyed at once: after the first one the default
	// handling is back.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// command is one subcommand. Its run function returns an error whose text is a
// sentence for the person at the terminal.
type command struct {
	name  string
	usage string
	text  string
	run   func(ctx context.Context, c *cli) error
}

func commands() []command {
	return []command{
		{"serve", "serve [flags]", "run the pool: node, Stratum, jobs and web pages", untilTold(serve)},
		{"demo", "demo [flags]", "a pool on the practice chain with two built-in miners", untilTold(demo)},
		{"claim-code", "claim-code [flags]", "print where the first set-up is, and its code", claimCode},
		{"setup", "setup --answers FILE.json [flags]", "answer the first set-up from a file", setup},
		{"miner", "miner -o stratum+tcp://HOST:PORT -u ADDRESS.WORKER [flags]", "mine with this computer's processor", miner},
		{"drill", "drill [flags]", "prove on a throw-away chain that all from the share to the payout works", fireDrill},
		{"passwd", "passwd [flags]", "set an operator's password, or add an operator", passwd},
		{"doctor", "doctor [flags]", "look at everything and say what is wrong and what to do", doctor},
		{"support-bundle", "support-bundle [flags]", "write a file, without secrets, for somebody who helps", supportBundle},
		{"backup", "backup create|list|verify|restore|passphrase [FILE] [flags]", "back up the box, try a backup out, or restore one", backups},
		{"rollback", "rollback [flags]", "go back to the books of an older version", rollback},
		{"purge-data", "purge-data --i-have-my-seed [flags]", "delete the data of this box", purgeData},
		{"verify-split", "verify-split [flags] FILE", "check the split of a block that a pool published", verifySplit},
		{"version", "version", "print the version", version},
	}
}

// untilTold is run, which goes on until ctx ends. That is no failure, wherever it
// was: a box may be told to stop while it still starts.
func untilTold(run func(context.Context, *cli) error) func(context.Context, *cli) error {
	return func(ctx context.Context, c *cli) error {
		err := run(ctx, c)
		if err != nil && ctx.Err() != nil && onlyEnded(err) {
			return nil
		}
		return err
	}
}

// onlyEnded tells whether err says no more than that a context ended.
func onlyEnded(err error) bool {
	if all, ok := errors.AsType[interface {
		error
		Unwrap() []error
	}](err); ok {
		return !slices.ContainsFunc(all.Unwrap(), func(err error) bool { return !onlyEnded(err) })
	}
	return errors.Is(err, context.Canceled)
}

// cli is what a subcommand gets from the terminal.
type cli struct {
	flags  *flag.FlagSet
	args   []string
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer

	backupWork int // what a guess at a backup's passphrase costs, 0: as usual; tests have no time
}

var (
	// errUsage says that the usage was printed already.
	errUsage = errors.New("usage")
	// errTold says that what went wrong was told already.
	errTold = errors.New("told")
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		printUsage(stderr)
		return 2
	}
	if slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		printUsage(stdout)
		return 0
	}
	for _, cmd := range commands() {
		if cmd.name != args[0] {
			continue
		}
		c := &cli{flags: flag.NewFlagSet(cmd.name, flag.ContinueOnError), args: args[1:], stdin: stdin, stdout: stdout, stderr: stderr}
		c.flags.SetOutput(stderr)
		c.flags.Usage = func() {
			fmt.Fprintf(stderr, "usage: dmpool %s\n\n", cmd.usage)
			c.flags.PrintDefaults()
		}
		return exitCode(cmd.run(ctx, c), stderr)
	}
	fmt.Fprintf(stderr, "dmpool: there is no command %q\n\n", args[0])
	printUsage(stderr)
	return 2
}

func exitCode(err error, stderr io.Writer) int {
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		return 2
	case errors.Is(err, errTold):
		return 1
	}
	fmt.Fprintln(stderr, "dmpool: "+err.Error())
	return 1
}

func printUsage(w io.Writer) {
	fmt.Fprint(w, "DMPool, a Bitcoin mining pool in a box.\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  dmpool %-14s %s\n", cmd.name, cmd.text)
	}
	fmt.Fprint(w, "\ndmpool COMMAND -h lists the flags of a command.\n")
}

// parse reads the flags and the operands that must follow them, or may, if they are in
// brackets; a flag that was not given is taken from the environment, DMPOOL_DATA_DIR for
// --data-dir.
func (c *cli) parse(operands ...string) error {
	if err := c.flags.Parse(c.args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return errUsage
	}
	needed := slices.DeleteFunc(slices.Clone(operands), func(name string) bool { return strings.HasPrefix(name, "[") })
	if given := c.flags.NArg(); given < len(needed) {
		return fmt.Errorf("it needs %s", strings.Join(needed[given:], " "))
	} else if given > len(operands) {
		return fmt.Errorf("%q is not understood; flags begin with a dash", c.flags.Arg(len(operands)))
	}
	given := map[string]bool{}
	c.flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var err error
	c.flags.VisitAll(func(f *flag.Flag) {
		name := "DMPOOL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, ok := os.LookupEnv(name)
		if !ok || given[f.Name] || err != nil {
			return
		}
		if setErr := f.Value.Set(value); setErr != nil {
			err = fmt.Errorf("environment variable %s: %w", name, setErr)
		}
	})
	return err
}
