package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/logbook"
	"github.com/dmpool/dmpool/pool/node"
)

// box is a throw-away box that runs.
type box struct {
	*appliance.Appliance
	url    string // for miners
	cancel context.CancelFunc
	ended  chan error
}

// openBox starts a box that is set up.
func openBox(ctx context.Context, dir, bitcoind string, book *logbook.Book) (*box, error) {
	ln, err := appliance.Listen(ctx, "miners of the drill", "127.0.0.1:0", "--stratum")
	if err != nil {
		return nil, err
	}
	a, err := appliance.New(ctx, appliance.Config{
		DataDir: dir, Bitcoind: bitcoind, Stratum: []net.Listener{ln},
		Logger: slog.New(book.Handler(slog.DiscardHandler)),
	})
	if err != nil {
		return nil, err // New has closed the port
	}
	// The box ends when it is told to, and not before its node has ended in order.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	b := &box{Appliance: a, url: "stratum+tcp://" + ln.Addr().String(), cancel: cancel, ended: make(chan error, 1)}
	go func() { b.ended <- a.Run(ctx) }()
	return b, nil
}

// stop ends the box in order, and its node with it. A box that is nil, or has been
// stopped, has nothing to end.
func (b *box) stop() error {
	if b == nil || b.cancel == nil {
		return nil
	}
	b.cancel()
	b.cancel = nil
	err := errors.Join(<-b.ended, b.Close())
	if err != nil {
		return fmt.Errorf("stop the box of the drill: %w", err)
	}
	return nil
}

// lookEvery is how often is looked whether something has happened that nothing tells.
const lookEvery = 250 * time.Millisecond

// await returns when done says so. It asks when something has happened on the box, and
// now and then.
func (b *box) await(ctx context.Context, what string, done func() (bool, error)) error {
	events, leave := b.Subscribe()
	defer func() { leave() }()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		yes, err := done()
		if ctx.Err() == nil && err != nil && !node.Unavailable(err) {
			return fmt.Errorf("look whether %s: %w", what, err)
		}
		if yes && err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w to wait until %s", context.Cause(ctx), what)
		case err := <-b.ended:
			b.ended <- err
			return fmt.Errorf("the box of the drill ended before %s: %w", what, orUnknown(err))
		case <-tick.C:
		case _, ok := <-events:
			if !ok {
				events, leave = b.Subscribe()
			}
		}
	}
}

// orUnknown is an error in any case: a box that nobody stopped has no reason to end.
func orUnknown(err error) error {
	if err == nil {
		return errors.New("it does not say why")
	}
	return err
}
