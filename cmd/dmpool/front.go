package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/webui"
)

// serveFromSetUp serves the wizard until the box is set up, by its pages or by
// "dmpool setup", and then the box: at the same port, in the same process. Miners
// that connect meanwhile wait in the queue of their port.
func serveFromSetUp(ctx context.Context, out io.Writer, f serveFlags, log *slog.Logger) error {
	b, err := openPorts(ctx, f, log)
	if err != nil {
		return err
	}
	wizard, err := appliance.NewWizard(ctx, b.config, appliance.PageAddress(b.pages.Addr()))
	if err != nil {
		b.closePages()
		return errors.Join(err, b.miners.Close())
	}
	pages, err := webui.NewSetup(wizard, b.window)
	if err != nil {
		b.closePages()
		return errors.Join(fmt.Errorf("make pages: %w", err), wizard.Close(), b.miners.Close())
	}
	if err := printClaim(out, wizard.Code(), atTerminal(out)); err != nil {
		log.Warn("Claim code not printed", "err", err)
	}
	useCores()
	handler := newFront(pages, wizard.Ended())
	g, ctx := errgroup.WithContext(ctx)
	b.servePages(ctx, g.Go, handler)
	g.Go(func() error {
		if err := wizard.Await(ctx); err != nil {
			return ignoreCancel(ctx, errors.Join(err, wizard.Close(), b.miners.Close()))
		}
		var err error
		if b.appliance, err = wizard.Open(ctx); err != nil {
			return err
		}
		all, public, err := webui.New(b.appliance, b.window)
		if err != nil {
			return fmt.Errorf("make pages: %w", err)
		}
		handler.open(all)
		b.announce()
		if b.api != nil {
			g.Go(func() error { return webui.Serve(ctx, b.api, public) })
		}
		return b.appliance.Run(ctx)
	})
	err = g.Wait()
	if b.appliance != nil {
		err = errors.Join(err, b.appliance.Close())
	}
	b.closePages()
	return err
}

// front stands at the port of the pages: before the set-up with the wizard's
// pages, then with those of the box. The port itself never moves.
type front struct {
	wizard http.Handler
	ended  <-chan struct{} // the set-up
	opened chan struct{}   // box is there
	box    http.Handler
}

func newFront(wizard http.Handler, ended <-chan struct{}) *front {
	return &front{wizard: wizard, ended: ended, opened: make(chan struct{})}
}

// open puts the box in the wizard's place. It is called once.
func (f *front) open(box http.Handler) {
	f.box = box
	close(f.opened)
}

// ServeHTTP keeps requests waiting for the moment between the two.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case <-f.ended:
		select {
		case <-f.opened:
			f.box.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	default:
		f.wizard.ServeHTTP(w, r)
	}
}
