package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

// packageCache is where the package keeps the versions that were installed last.
const packageCache = "/var/cache/dmpool"

// rollback goes back to the books of an older version, or tells what that would
// cost.
func rollback(ctx context.Context, c *cli) error {
	dataDir := c.flags.String("data-dir", ownDataDir(), "folder that holds everything of this box")
	to := c.flags.String("to", "", "copy of the books to go back to; without it the copies are listed")
	paid := c.flags.Bool("although-paid", false, "go back even behind payments of the pool; payouts freeze then until somebody has looked")
	if err := c.parse(); err != nil {
		return err
	}
	// Whoever has taken over the pool's user shall not lead root astray with a link.
	if err := becomeOwner(*dataDir); err != nil {
		return err
	}
	ways, err := appliance.WaysBack(ctx, *dataDir)
	if err != nil && !errors.Is(err, appliance.ErrCutShort) {
		return err
	}
	if *to == "" && err == nil {
		listWaysBack(c.stdout, ways)
		return nil
	}
	aside, err := appliance.Rollback(ctx, *dataDir, *to, *paid)
	if errors.Is(err, appliance.ErrPaidSince) {
		return errors.New("the pool has signed payments since this copy was made. Older books do not know them and would count that money as still owed. " +
			"The wallet knows better: payouts freeze at the next start, and stay so until somebody has settled on the payouts page what was paid. " +
			"If that is what you want, add --although-paid; nothing was changed")
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "The books are those of the older version again. What was there lies in %s.\n", aside)
	for _, w := range ways {
		if w.Name == *to {
			fmt.Fprintln(c.stdout, nextAfterRollback(w.Release))
		}
	}
	return nil
}

func listWaysBack(out io.Writer, ways []appliance.WayBack) {
	if len(ways) == 0 {
		fmt.Fprintln(out, "There is no copy that is older than the books: every version that can be installed beside them reads them.")
		fmt.Fprintf(out, "To go back to the version before, install its package alone. %s\n", packages(""))
		return
	}
	for _, w := range ways {
		fmt.Fprintf(out, "%s   made %s, before an upgrade", w.Name, w.Made.Local().Format(time.DateTime))
		if w.Release != "" {
			fmt.Fprintf(out, " from version %s", w.Release)
		}
		fmt.Fprintln(out)
		fmt.Fprintf(out, "    would be lost: %s\n", lossText(w))
		if w.Loss.Payouts > 0 {
			fmt.Fprintf(out, "    the pool has paid since: %d payouts, %d sat. It needs --although-paid, and payouts freeze until somebody has looked.\n", w.Loss.Payouts, w.Loss.PaidSat)
		}
		fmt.Fprintf(out, "    %s\n", nextAfterRollback(w.Release))
	}
	fmt.Fprintf(out, "\nStop the pool (systemctl stop dmpool), then: dmpool rollback --to %s\n", ways[0].Name)
}

func lossText(w appliance.WayBack) string {
	switch l := w.Loss; {
	case w.Ledger && w.Shares:
		return fmt.Sprintf("%d bookings, %d found blocks, up to %d shares, and what was set since", l.Bookings, l.Blocks, l.Shares)
	case w.Ledger:
		return fmt.Sprintf("%d bookings, %d found blocks, and what was set since; no shares", l.Bookings, l.Blocks)
	default:
		return fmt.Sprintf("up to %d shares; no bookings", l.Shares)
	}
}

// nextAfterRollback says what to install. The present version would bring the books
// up to date again.
func nextAfterRollback(release string) string {
	return "Then install the older version before the pool starts again. " + packages(release)
}

// packages names the kept packages of a release, or of all.
func packages(release string) string {
	pattern := "dmpool_*.deb"
	if release != "" {
		pattern = "dmpool_" + release + "*.deb"
	}
	found, err := filepath.Glob(filepath.Join(packageCache, pattern))
	if err != nil || len(found) == 0 {
		return "Its package is not kept on this machine (" + filepath.Join(packageCache, pattern) + "); get it where this one came from."
	}
	text := "Its package is here:"
	for _, file := range found {
		text += "\n        apt install --allow-downgrades " + file
	}
	return text
}
