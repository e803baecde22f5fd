package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	qrcode "github.com/skip2/go-qrcode"

	"github.com/dmpool/dmpool/appliance"
)

// claimCode prints where the first set-up is, and the code that it asks for.
func claimCode(ctx context.Context, c *cli) error {
	dataDir := c.flags.String("data-dir", ownDataDir(), "folder that holds everything of this box")
	wait := c.flags.Duration("wait", 0, "how long to wait for a service that is just starting, such as 30s")
	if err := c.parse(); err != nil {
		return err
	}
	if err := becomeOwner(*dataDir); err != nil {
		return err
	}
	code, err := awaitClaimCode(ctx, *dataDir, *wait)
	if err != nil {
		return err
	}
	return printClaim(c.stdout, code, true)
}

// awaitClaimCode reads the claim code, and waits a while for there to be one.
func awaitClaimCode(ctx context.Context, dataDir string, wait time.Duration) (appliance.ClaimCode, error) {
	late := time.After(wait)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		code, err := appliance.ReadClaimCode(ctx, dataDir)
		if !errors.Is(err, appliance.ErrNoClaim) {
			return code, err
		}
		select {
		case <-ctx.Done():
			return code, context.Cause(ctx)
		case <-late:
			return code, err
		case <-look.C:
		}
	}
}

// printClaim tells a person at the terminal how to go on. The code in the link
// stands behind a # and so is never sent over the network by itself.
func printClaim(w io.Writer, code appliance.ClaimCode, picture bool) error {
	fmt.Fprintf(w, `
  Set up DMPool in a browser:

    %s/setup
    claim code   %s

`, code.Address, code.Code)
	if !picture {
		return nil
	}
	qr, err := qrcode.New(code.Link(), qrcode.Low)
	if err != nil {
		return fmt.Errorf("draw code: %w", err)
	}
	fmt.Fprintf(w, "  or point a phone's camera at this:\n\n%s\n", qr.ToSmallString(false))
	return nil
}

// atTerminal tells whether a person reads along.
func atTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isTerminal(f)
}
