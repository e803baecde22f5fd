package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/dmpool/dmpool/appliance"
	"github.com/dmpool/dmpool/appliance/logbook"
	"github.com/dmpool/dmpool/appliance/systemd"
	"github.com/dmpool/dmpool/webui"
)

// serveFlags are the flags of serve, which demo shares.
type serveFlags struct {
	dataDir   string
	network   string
	http      string
	https     string
	api       string
	hosts     string
	proxies   string
	stratum   string
	bitcoind  string
	node      appliance.ExternalNode
	service   *appliance.NodeService
	logLevel  string
	logFormat string
	level     *slog.LevelVar // of the log, which the logs page changes
}

// add defines the flags; what f holds already are their defaults.
func (f *serveFlags) add(c *cli) {
	c.flags.StringVar(&f.dataDir, "data-dir", f.dataDir, "folder that holds everything of this box")
	c.flags.StringVar(&f.http, "http", ":8080", "address of the web pages")
	c.flags.StringVar(&f.https, "https", f.https, "address of the web pages over TLS; auto: port 8443 beside --http, off: none")
	c.flags.StringVar(&f.api, "api", "", "address for the public part of the API alone, such as :8081; empty: none")
	c.flags.StringVar(&f.hosts, "host-name", "", "further names, separated by commas, by which browsers may reach the pages, such as pool.lan")
	c.flags.StringVar(&f.proxies, "http-proxies", "", "networks, separated by commas, of reverse proxies in front of the pages, such as 192.168.1.5/32")
	c.flags.StringVar(&f.stratum, "stratum", ":3333", "address for miners")
	c.flags.StringVar(&f.bitcoind, "bitcoind", "", "path of bitcoind; empty: the one that the box has got, the bundled one, then $PATH")
	c.flags.StringVar(&f.logLevel, "log-level", f.logLevel, "debug, info, warn or error")
	c.flags.StringVar(&f.logFormat, "log-format", "text", "text or json")
}

// window reads what the flags say about the pages and the API.
func (f *serveFlags) window(log *slog.Logger) (webui.Options, error) {
	o := webui.Options{Logger: log, Level: f.level, Hosts: list(f.hosts)}
	for _, text := range list(f.proxies) {
		network, err := netip.ParsePrefix(text)
		if err != nil {
			return o, fmt.Errorf("--http-proxies: %q is no network; write it as 192.168.1.5/32", text)
		}
		o.Proxies = append(o.Proxies, network)
	}
	return o, nil
}

// list takes a text apart at its commas.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

// logger makes the log that the flags ask for.
func (f *serveFlags) logger(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		return nil, fmt.Errorf("--log-level %q is none of debug, info, warn, error", f.logLevel)
	}
	f.level = new(slog.LevelVar)
	f.level.Set(level)
	options := &slog.HandlerOptions{Level: f.level}
	switch f.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, fmt.Errorf("--log-format %q is neither text nor json", f.logFormat)
}

// defaultDataDir is where a person's own box keeps its data; the service's unit
// file says --data-dir.
func defaultDataDir() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "dmpool")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "dmpool")
	}
	return "dmpool-data"
}

// serve runs the box until ctx ends.
func serve(ctx context.Context, c *cli) error {
	f := serveFlags{dataDir: defaultDataDir(), https: httpsAuto, logLevel: "info"}
	f.add(c)
	c.flags.StringVar(&f.network, "network", "practice", "main, testnet4, signet, practice or regtest, for the first start; later the data directory's own counts")
	c.flags.StringVar(&f.node.URL, "node-url", "", "use the node at this address, such as http://127.0.0.1:8332, which somebody else runs")
	c.flags.StringVar(&f.node.CookieFile, "node-cookie-file", "", "file in which that node leaves its password; or")
	c.flags.StringVar(&f.node.User, "node-user", "", "user of that node's RPC (rpcauth), with")
	c.flags.StringVar(&f.node.PasswordFile, "node-password-file", "", "file that holds the user's password")
	asService := c.flags.Bool("node-service", false, "run the node as the unit dmpool-bitcoind@NETWORK.service, under a user of its own; the package's unit says so")
	if err := c.parse(); err != nil {
		return err
	}
	log, err := f.logger(c.stderr)
	if err != nil {
		return err
	}
	if *asService {
		bus := &systemd.Bus{}
		defer bus.Close()
		f.service = &appliance.NodeService{Units: bus}
	}
	needed, err := appliance.NeedsSetUp(ctx, f.dataDir, f.network)
	if err != nil {
		return err
	}
	if needed {
		return serveFromSetUp(ctx, c.stdout, f, log)
	}
	box, err := openBox(ctx, f, log)
	if err != nil {
		return err
	}
	box.announce()
	return box.run(ctx)
}

// box is an appliance with its window and the open ports.
type box struct {
	appliance *appliance.Appliance
	window    webui.Options
	pages     net.Listener
	secure    net.Listener // of the pages over TLS, nil for none
	api       net.Listener // of the public API alone, nil for none
	miners    net.Listener
	config    appliance.Config
	log       *slog.Logger

	certificate *appliance.PageCertificate // of secure
}

// openBox opens ports and data directory of a box that is set up, in this order,
// so that a taken port is told before anything is touched.
func openBox(ctx context.Context, f serveFlags, log *slog.Logger) (*box, error) {
	b, err := openPorts(ctx, f, log)
	if err != nil {
		return nil, err
	}
	if b.appliance, err = appliance.New(ctx, b.config); err != nil {
		b.closePages()
		return nil, err
	}
	return b, nil
}

// openPorts makes a box of which only the ports are open.
func openPorts(ctx context.Context, f serveFlags, log *slog.Logger) (_ *box, err error) {
	const lines = 5000 // a few megabytes at most
	book := logbook.New(lines)
	log = slog.New(book.Handler(log.Handler()))
	b := &box{log: log}
	if b.window, err = f.window(log); err != nil {
		return nil, err
	}
	b.window.Version, b.window.News, b.window.Log = release, news(), book
	sockets, err := appliance.InheritSockets()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			b.closePages()
		}
	}()
	if b.pages, err = sockets.Listen(ctx, log, "http", "the web pages", f.http, "--http"); err != nil {
		return nil, err
	}
	b.openHTTPS(ctx, f, sockets)
	if f.api != "" || sockets["api"] != nil {
		if b.api, err = sockets.Listen(ctx, log, "api", "the public API", f.api, "--api"); err != nil {
			return nil, err
		}
	}
	if b.miners, err = sockets.Listen(ctx, log, "stratum", "miners", f.stratum, "--stratum"); err != nil {
		return nil, err
	}
	say, err := webui.Translator()
	if err != nil {
		return nil, err
	}
	b.config = appliance.Config{
		Alerts:  appliance.AlertConfig{Say: say},
		DataDir: f.dataDir, Network: f.network, Bitcoind: f.bitcoind, External: f.node, Service: f.service,
		Stratum: []net.Listener{b.miners}, Sockets: sockets, Release: release, Built: built(), Logger: log,
	}
	return b, nil
}

// announce says in the log what is open.
func (b *box) announce() {
	b.log.Info("DMPool started", "pages", b.pages.Addr().String(), "stratum", b.miners.Addr().String(), "network", b.appliance.Network())
	b.announceHTTPS()
	if b.api != nil {
		b.log.Info("The public API has a port of its own", "api", b.api.Addr().String())
	}
}

// closePages closes the ports that the appliance does not own.
func (b *box) closePages() {
	for _, ln := range []net.Listener{b.pages, b.secure, b.api} {
		if ln != nil {
			ln.Close()
		}
	}
}

// useCores gives the scheduler one thread more than there are cores: the share
// log nearly always waits for the disk, and on a small box its thread would be
// missed by the miners. $GOMAXPROCS wins.
func useCores() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}

// run runs the appliance and its pages, and whatever else is given, until ctx
// ends or one of them fails; then it closes the box.
func (b *box) run(ctx context.Context, more ...func(context.Context) error) error {
	useCores()
	all, public, err := webui.New(b.appliance, b.window)
	if err != nil {
		b.closePages()
		return errors.Join(fmt.Errorf("make pages: %w", err), b.appliance.Close())
	}
	g, ctx := errgroup.WithContext(ctx)
	b.servePages(ctx, g.Go, all)
	g.Go(func() error { return b.appliance.Run(ctx) }) // which tells systemd that the pages answer
	if b.api != nil {
		g.Go(func() error { return webui.Serve(ctx, b.api, public) })
	}
	for _, f := range more {
		g.Go(func() error { return f(ctx) })
	}
	err = g.Wait()
	return errors.Join(err, b.appliance.Close())
}
