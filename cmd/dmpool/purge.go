package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// purgeData deletes the data of a box, which removing the package does not. It says
// first what that is, and asks for the name of the machine.
func purgeData(_ context.Context, c *cli) error {
	dataDir := c.flags.String("data-dir", ownDataDir(), "folder that holds everything of this box")
	network := c.flags.String("network", "", "delete only what belongs to this network")
	seed := c.flags.Bool("i-have-my-seed", false, "you have the wallet's twelve words, or a copy of it, elsewhere, or it is empty")
	if err := c.parse(); err != nil {
		return err
	}
	p := appliance.Purge{Dir: *dataDir, Network: *network}
	if filepath.Clean(*dataDir) == installedDataDir { // whose node has folders of its own
		p.Places = &bitcoind.Places{}
	}
	list, err := p.List()
	if errors.Is(err, appliance.ErrNothingThere) {
		fmt.Fprintf(c.stdout, "There is nothing to delete in %s.\n", *dataDir)
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "This is deleted, and nothing brings it back: books, settings, the chain, and the wallet with its coins.")
	var total int64
	for _, h := range list {
		fmt.Fprintf(c.stdout, "  %10.1f MB  %s\n", float64(h.Bytes)/1e6, h.Path)
		total += h.Bytes
	}
	fmt.Fprintf(c.stdout, "  %10.1f MB  in all\n", float64(total)/1e6)
	if !*seed {
		return errors.New("nothing was deleted. The wallet is among this: if you have its twelve words or a copy elsewhere, or it is empty, say so with --i-have-my-seed")
	}
	name, err := os.Hostname()
	if err != nil {
		return fmt.Errorf("read the name of this machine: %w", err)
	}
	fmt.Fprintf(c.stderr, "To delete all of it, type the name of this machine, %s: ", name)
	typed, err := readLine(bufio.NewReader(io.LimitReader(c.stdin, 4096)))
	if err != nil || typed != name {
		return errors.New("that is not the name; nothing was deleted")
	}
	if err := p.Do(); err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "Deleted.")
	return nil
}
