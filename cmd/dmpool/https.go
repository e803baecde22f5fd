package main

import (
	"context"
	"net"
	"net/http"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/webui"
)

// What --https says besides an address.
const (
	httpsAuto = "auto"
	httpsOff  = "off"
	httpsPort = "8443" // with auto; 443 needs more rights than a person's own box has
)

// openHTTPS opens the port of the pages over TLS, with auto for the same visitors as
// the one of --http. The pages are there without it: a port that cannot be opened
// costs a line in the log, and no miner its work.
func (b *box) openHTTPS(ctx context.Context, f serveFlags, sockets appliance.Sockets) {
	addr := f.https
	if addr == httpsAuto {
		host, _, err := net.SplitHostPort(b.pages.Addr().String())
		if err != nil {
			host = ""
		}
		addr = net.JoinHostPort(host, httpsPort)
	}
	if addr == httpsOff || addr == "" {
		sockets.TurnAway(ctx, "https")
		return
	}
	ln, err := sockets.Listen(ctx, b.log, "https", "the web pages over TLS", addr, "--https")
	if err != nil {
		b.log.Warn("The pages are served without encryption only", "err", err)
		return
	}
	b.certificate = appliance.NewPageCertificate(f.dataDir, b.window.Hosts, b.log)
	b.secure, b.window.HTTPS = ln, &webui.HTTPS{Certificate: b.certificate.Leaf, Keeper: b.certificate}
	if tcp, ok := ln.Addr().(*net.TCPAddr); ok {
		b.window.HTTPS.Port = tcp.Port
	}
}

// announceHTTPS says in the log where the port is and what its certificate is known
// by: whoever reads the log sits at the box, where nobody is in between.
func (b *box) announceHTTPS() {
	if b.secure == nil {
		return
	}
	leaf, err := b.certificate.Leaf()
	if err != nil {
		b.log.Warn("The pages cannot be served over TLS", "err", err)
		return
	}
	b.log.Info("The pages are encrypted there", "https", b.secure.Addr().String(), "sha256", appliance.Fingerprint(leaf))
}

// servePages serves the pages, at the port over TLS, too.
func (b *box) servePages(ctx context.Context, start func(func() error), pages http.Handler) {
	start(func() error { return webui.Serve(ctx, b.pages, pages) })
	if b.secure != nil {
		start(func() error { return webui.ServeTLS(ctx, b.secure, pages, b.certificate.TLS(), b.log) })
	}
}
