package appliance

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/dmpool/dmpool/appliance/backup/place"
)

// serverKey tells what a host key is called.
func serverKey(line string) (k ServerKey, err error) {
	k.Line = line
	if k.Kind, err = place.KeyKind(line); err != nil {
		return k, err
	}
	k.Fingerprint, err = place.Fingerprint(line)
	return k, err
}

// PrepareServer asks a server for its host key, which the operator is to compare with
// what the server itself shows, and makes the key by which the box can sign in there.
// Nobody signs in. A refusal is a [*PersonError].
func (a *Appliance) PrepareServer(ctx context.Context, address string) (ServerKey, error) {
	if err := a.makeServerKey(ctx); err != nil {
		return ServerKey{}, err
	}
	line, err := place.HostKey(ctx, address)
	if err != nil {
		return ServerKey{}, a.refusedByPlace(err)
	}
	return serverKey(line)
}

// ServerKeyOf tells what the host key in such a line is called.
func ServerKeyOf(line string) (ServerKey, error) {
	k, err := serverKey(line)
	if err != nil {
		return k, &PersonError{errNotConfirmedKey}
	}
	return k, nil
}

var errNotConfirmedKey = errors.New("the host key of the server is not confirmed yet")

// makeServerKey makes the box's key if there is none that can be read.
func (a *Appliance) makeServerKey(ctx context.Context) error {
	return a.db.Update(ctx, func(tx *sql.Tx) error {
		p, _, err := readBackupPlan(ctx, tx)
		if err != nil {
			return err
		}
		if _, err := backupUnsealed(a.dir, a.network, p.Key); err == nil {
			return nil
		}
		key, err := place.NewKey()
		if err != nil {
			return err
		}
		if p.Key, err = backupSealed(a.dir, a.network, string(key)); err != nil {
			return err
		}
		return writeSetting(ctx, tx, settingBackupPlan, p, time.Now())
	})
}

// refusedByPlace makes what a place says to people a [*PersonError], and logs what the
// machine said about it.
func (a *Appliance) refusedByPlace(err error) error {
	said, spoken := errors.AsType[*place.Error](err)
	if !spoken {
		return err
	}
	a.log.Warn("Place of backups refused", "err", err, "cause", errors.Unwrap(said))
	return &PersonError{err}
}
