package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/bitcoind"
)

func (r *run) backUp(ctx context.Context) (seen string, err error) {
	// Books that owe nothing would be the same too easily.
	if _, err := r.find(ctx, 0); err != nil {
		return "", fmt.Errorf("find one more block: %w", err)
	}
	if r.before, err = r.box.takeStock(ctx); err != nil {
		return "", err
	}
	r.passphrase = appliance.NewBackupPassphrase()
	if err := r.box.SetBackupPassphrase(ctx, r.passphrase, operator, here); err != nil {
		return "", err
	}
	b, err := r.box.CreateBackup(ctx, operator, here)
	switch {
	case err != nil:
		return "", err
	case !b.Sound || b.Problem != "":
		return "", fmt.Errorf("the backup is not sound: %s", b.Problem)
	case b.Notice != "":
		return "", errors.New(b.Notice)
	}
	if err := r.takeAway(ctx, b.ID); err != nil {
		return "", fmt.Errorf("take the backup away: %w", err)
	}
	return fmt.Sprintf("A backup of %d kB is made, encrypted, and was restored to a scratch place to see that it is whole. A copy of it was taken away.", b.Size/1000), nil
}

// takeAway copies a backup to where the end of the box does not reach.
func (r *run) takeAway(ctx context.Context, id int64) error {
	in, _, err := r.box.OpenBackup(ctx, id, operator, here)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(r.folder("backup.age"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), in.Close())
}

// restore loses the box with all that is in it, and makes another of the backup. What a
// node gets again from its peers this one keeps: the chain, which has no other home.
func (r *run) restore(ctx context.Context) (string, error) {
	if err := r.box.stop(); err != nil {
		return "", err
	}
	node := filepath.Join(network, "node")
	chain := r.folder("chain")
	lost := filepath.Join(chain, bitcoind.DataDirName(network))
	err := errors.Join(
		os.Rename(filepath.Join(r.folder("box"), node), chain),
		os.RemoveAll(r.folder("box")),
		os.RemoveAll(filepath.Join(lost, "wallet-backups")),
		os.RemoveAll(filepath.Join(lost, network, "wallets")))
	if err != nil {
		return "", fmt.Errorf("lose the box: %w", err)
	}
	if err := r.takeBackup(ctx, r.folder("restored")); err != nil {
		return "", err
	}
	if err := os.Rename(chain, filepath.Join(r.folder("restored"), node)); err != nil {
		return "", fmt.Errorf("bring the chain: %w", err)
	}
	if r.box, err = openBox(ctx, r.folder("restored"), r.config.Bitcoind, r.book); err != nil {
		return "", err
	}
	if err := r.box.awaitNode(ctx); err != nil {
		return "", err
	}
	if err := r.box.awaitWork(ctx); err != nil {
		return "", err
	}
	return "The box was deleted: books, settings, wallet. A new one was made of the backup alone, its wallet is open again, and miners would get work.", nil
}

// takeBackup restores the backup into an empty folder.
func (r *run) takeBackup(ctx context.Context, dir string) error {
	in, err := os.Open(r.folder("backup.age"))
	if err != nil {
		return err
	}
	defer in.Close()
	restoration, err := appliance.OpenRestoration(ctx, dir, in, r.passphrase, slog.New(r.book.Handler(slog.DiscardHandler)))
	if err != nil {
		return err
	}
	_, err = restoration.Commit(ctx, operator, here)
	return errors.Join(err, restoration.Close())
}

func (r *run) compare(ctx context.Context) (string, error) {
	var now []string
	var other string
	err := r.box.await(ctx, "the books are those of before", func() (same bool, err error) {
		if now, err = r.box.takeStock(ctx); err != nil {
			return false, err
		}
		other = difference(r.before, now)
		return other == "", nil
	})
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, other)
	}
	if err := r.box.agrees(ctx); err != nil {
		return "", err
	}
	if _, frozen := r.box.Payouts().Frozen(ctx); !frozen {
		return "", errors.New("payouts go on after a restore, although nobody has looked what was paid since the backup")
	}
	return "Every balance, block and payout is as before, and books and wallet agree to the satoshi. Payouts wait for somebody to look, as after every restore.", nil
}
