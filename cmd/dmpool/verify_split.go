package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/receipt"
)

// maxReceipt is the largest file that is read: tens of thousands of miners.
const maxReceipt = 64 << 20

// verifySplit recomputes the split of a block from its receipt. It needs neither
// the pool nor the network.
func verifySplit(_ context.Context, c *cli) error {
	address := c.flags.String("address", "", "payout address whose line to mark")
	digest := c.flags.String("digest", "", "SHA-256 that the pool shows for this receipt")
	if err := c.parse("FILE"); err != nil {
		return err
	}
	file, err := readReceipt(c.flags.Arg(0))
	if err != nil {
		return err
	}
	r, err := receipt.Parse(file)
	if err != nil {
		return err
	}
	own, err := ownTag(r, *address)
	if err != nil {
		return err
	}
	if err := printReceipt(c.stdout, r, own); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "sha256 %s\n", receipt.Digest(file))
	if *digest != "" && !strings.EqualFold(*digest, receipt.Digest(file)) {
		return fmt.Errorf("this is not the receipt that the pool showed: its digest is %s, not %s", receipt.Digest(file), *digest)
	}
	if err := r.Verify(); err != nil {
		return fmt.Errorf("the receipt does not hold: %w", err)
	}
	fmt.Fprintln(c.stdout, verdict(r))
	return nil
}

func readReceipt(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := io.ReadAll(io.LimitReader(f, maxReceipt+1))
	if err == nil && len(file) > maxReceipt {
		err = errors.New("the file is too large to be a receipt")
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return file, nil
}

// ownTag is how the receipt names an address, "" for none.
func ownTag(r receipt.Receipt, address string) (string, error) {
	if address == "" {
		return "", nil
	}
	_, script, err := pool.ParseAddress(address, r.Network)
	if err != nil {
		return "", fmt.Errorf("--address: %w", err)
	}
	hash, err := chainhash.NewHashFromStr(r.Block.Hash)
	if err != nil {
		return "", fmt.Errorf("the receipt has no block hash: %w", err)
	}
	return receipt.Tag(*hash, script), nil
}

// printReceipt writes what the file says, as a table.
func printReceipt(w io.Writer, r receipt.Receipt, own string) error {
	fmt.Fprintf(w, "block %d %s (%s)\n", r.Block.Height, r.Block.Hash, r.Network)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "account\tscore\tsat\t")
	paid := int64(0)
	found := false
	for _, a := range r.Accounts {
		mark := ""
		if a.Tag == own {
			mark, found = "◄ this address", true
		}
		fmt.Fprintf(t, "%.16s\t%s\t%d\t%s\n", a.Tag, a.Score, a.Credit, mark)
		paid += a.Paid
	}
	fmt.Fprintf(t, "fee of the pool\t\t%d\t\n", r.Fee)
	fmt.Fprintf(t, "donation\t\t%d\t\n", r.Donation)
	fmt.Fprintf(t, "reserve\t\t%d\t\n", r.Reserve)
	fmt.Fprintf(t, "whole block\t\t%d\t\n", r.Block.Value)
	if paid > 0 {
		fmt.Fprintf(t, "of this by its coinbase\t\t%d\t\n", paid)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the table: %w", err)
	}
	if own != "" && !found {
		return errors.New("this address did no work in the window of the block")
	}
	return nil
}

// verdict says how far a receipt that holds could be followed.
func verdict(r receipt.Receipt) string {
	if r.Traced() {
		return "OK: the block exists, the work gives the scores, and the scores give every satoshi."
	}
	return "OK: the block exists, and the scores give every satoshi. The work behind the scores is not written down for this block."
}
