package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dmpool/dmpool/appliance"
)

// restoreBackup puts a backup in the place of what is in a data directory. It says first
// what is in it, and what it would replace.
func restoreBackup(ctx context.Context, c *cli, f backupFlags) (err error) {
	in, err := os.Open(c.flags.Arg(0)) // before becoming an owner who may not read it
	if err != nil {
		return fmt.Errorf("open backup: %w", err)
	}
	defer in.Close()
	passphrase, err := f.ask(c, "Passphrase of the backup: ")
	if err != nil {
		return err
	}
	if err := becomeOwner(f.dataDir); err != nil {
		return err
	}
	r, err := appliance.OpenRestoration(ctx, f.dataDir, in, passphrase, f.logger(c))
	if _, running := errors.AsType[*appliance.InUseError](err); running {
		err = fmt.Errorf("%w (systemctl stop dmpool stops an installed one)", err)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	printBackup(c.stdout, r.Preview)
	printReplaced(c.stdout, r.Preview)
	if r.Preview.Lost.Payouts > 0 && !f.paid {
		return errors.New("this box has made payments that the backup does not know. Payouts would freeze until somebody has settled on the payouts page what was paid. " +
			"If that is what you want, add --although-paid; nothing was changed")
	}
	if !f.yes && !confirmed(c, "Restore it? Type yes: ") {
		return errors.New("nothing was changed")
	}
	aside, err := r.Commit(context.WithoutCancel(ctx), "terminal", "")
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, "Restored. Start the pool now (systemctl start dmpool, or dmpool serve): it brings the wallet back by itself.")
	if aside != "" {
		fmt.Fprintf(c.stdout, "What was there lies in %s.\n", aside)
	}
	if r.Preview.Backup.Freeze {
		fmt.Fprintln(c.stdout, "Payouts are frozen until you have looked whether there were any after this backup: Books and wallet on the payouts page.")
	}
	return nil
}

func printBackup(out io.Writer, p appliance.RestorePreview) {
	fmt.Fprintf(out, "Backup of the network %s, made %s by version %s.\n", p.Network, p.Made.Local().Format(time.DateTime), p.Program)
	printBooks(out, p.Backup)
	if p.Wallet != "" {
		fmt.Fprintf(out, "    wallet: %s\n", p.Wallet)
	}
	if p.Notice != "" {
		fmt.Fprintf(out, "    %s\n", p.Notice)
	}
}

func printBooks(out io.Writer, b appliance.Books) {
	fmt.Fprintf(out, "    pool: %s; operators: %s\n", b.Pool, strings.Join(b.Operators, ", "))
	fmt.Fprintf(out, "    %d miners, who are owed %d sat; %d blocks\n", len(b.Miners), b.Sums.Owed(), b.Blocks)
	if !b.Last.IsZero() {
		fmt.Fprintf(out, "    last booking: %s\n", b.Last.Local().Format(time.DateTime))
	}
}

func printReplaced(out io.Writer, p appliance.RestorePreview) {
	switch {
	case p.Here == nil:
		fmt.Fprintln(out, "There is no box in this data directory yet.")
		return
	case p.Broken != "":
		fmt.Fprintf(out, "It would replace books that cannot be read, so nothing can be told of them: %s\n", p.Broken)
		return
	}
	fmt.Fprintln(out, "It would replace:")
	printBooks(out, *p.Here)
	l := p.Lost
	fmt.Fprintf(out, "    put aside with it: %d bookings, %d found blocks, up to %d shares, and what was set since\n", max(0, l.Bookings), max(0, l.Blocks), max(0, l.Shares))
	if l.Payouts > 0 {
		fmt.Fprintf(out, "    paid since the backup: %d payouts, %d sat\n", l.Payouts, l.PaidSat)
	}
}
