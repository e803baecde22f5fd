package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/support"
	"github.com/dmpool/dmpool/webui"
)

// supportBundle writes what helps somebody else to find out what is wrong with a box.
// It reads the files of the box, which need not run; what only the running box knows,
// such as its health and the newest lines of its log, is in the bundle of the page.
func supportBundle(ctx context.Context, c *cli) error {
	dataDir := c.flags.String("data-dir", defaultDataDir(), "folder that holds everything of this box")
	name := c.flags.String("o", "", "file to write; empty: dmpool-support-DATE.zip here")
	addresses := c.flags.Bool("addresses", false, "leave addresses of miners and computers in")
	if err := c.parse(); err != nil {
		return err
	}
	now := time.Now()
	b := support.New(*addresses)
	if err := webui.AboutProgram(b, release, now); err != nil {
		return err
	}
	if err := appliance.SupportOf(ctx, *dataDir, b); err != nil {
		return err
	}
	if *name == "" {
		*name = "dmpool-support-" + now.UTC().Format("2006-01-02-1504") + ".zip"
	}
	f, err := os.OpenFile(*name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	defer f.Close()
	if err := b.Write(f, now); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write bundle: %w", err)
	}
	fmt.Fprintf(c.stdout, "Wrote %s, which holds:\n", *name)
	for _, part := range b.Files {
		fmt.Fprintf(c.stdout, "  %-16s %d bytes\n", part.Name, len(part.Text))
	}
	fmt.Fprintln(c.stdout, "It is text; read it before you send it. The log of the service: journalctl -u dmpool")
	return nil
}
