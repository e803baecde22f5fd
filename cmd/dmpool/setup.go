package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dmpool/dmpool/appliance"
)

// setup answers the first set-up from a file, through the same code as the
// pages. A daemon that waits for it goes on by itself.
func setup(ctx context.Context, c *cli) error {
	dataDir := c.flags.String("data-dir", ownDataDir(), "folder that holds everything of this box")
	file := c.flags.String("answers", "", "JSON file with the answers, - for standard input")
	change := c.flags.Bool("switch-network", false, "answer for another network than the data directory is used with; its data is kept")
	external := c.flags.String("node-url", "", "the node that serve is going to use, when somebody else runs it: its chain needs no room here")
	if err := c.parse(); err != nil {
		return err
	}
	if *file == "" {
		return errors.New("setup needs --answers FILE.json; the README shows one")
	}
	in := c.stdin
	if *file != "-" {
		f, err := os.Open(*file)
		if err != nil {
			return fmt.Errorf("read answers: %w", err)
		}
		defer f.Close()
		in = f
	}
	if err := becomeOwner(*dataDir); err != nil { // who need not be able to read the answers
		return err
	}
	answers, err := appliance.ParseAnswers(io.LimitReader(in, 1<<20))
	if err != nil {
		return err
	}
	answers.External = *external != ""
	setUp := appliance.SetUp
	if *change {
		setUp = appliance.SwitchAndSetUp
	}
	if err := setUp(ctx, *dataDir, answers); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "Set up. `dmpool serve` goes on from here; a running one does so by itself.")
	if answers.Wallet.Words || answers.Wallet.Restore {
		fmt.Fprintln(c.stdout, "Then sign in and open the page /wallet: it shows the twelve words, this once. Miners get work when you have confirmed them.")
	}
	return nil
}
