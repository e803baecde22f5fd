package appliance

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
)

// neighbour is where a node on this machine would be that the box has not
// started. Private chains have none: nothing is downloaded for them.
type neighbour struct {
	port    int
	cookies []string // where its cookie would be, by the habits of bitcoind and of packages
}

// neighbourOf returns where to look on a network, false where there is no use.
func neighbourOf(network string) (neighbour, bool) {
	port, folder := 0, ""
	switch network {
	case bitcoind.NetworkMain:
		port = 8332
	case bitcoind.NetworkTestnet4:
		port, folder = 48332, "testnet4"
	case bitcoind.NetworkSignet:
		port, folder = 38332, "signet"
	default:
		return neighbour{}, false
	}
	roots := []string{"/var/lib/bitcoind", "/var/lib/bitcoin", "/home/bitcoin/.bitcoin"}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append([]string{filepath.Join(home, ".bitcoin")}, roots...)
	}
	n := neighbour{port: port}
	for _, root := range roots {
		n.cookies = append(n.cookies, filepath.Join(root, folder, ".cookie"))
	}
	return n, true
}

// find looks for the node. It sends no password: who has not been given one must
// not try.
func (n neighbour) find(ctx context.Context) (Neighbour, bool) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	found := Neighbour{URL: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(n.port))}
	if !asksForLogin(ctx, found.URL) {
		return Neighbour{}, false
	}
	for _, file := range n.cookies {
		if f, err := os.Open(file); err == nil {
			_ = f.Close()
			found.CookieFile = file
			break
		}
	}
	return found, true
}

// look returns a sentence on the node that runs there, empty when none does.
func (n neighbour) look(ctx context.Context) string {
	found, ok := n.find(ctx)
	if !ok {
		return ""
	}
	login := "--node-cookie-file FILE (its cookie was not found, or this user may not read it)"
	if found.CookieFile != "" {
		login = "--node-cookie-file " + found.CookieFile
	}
	return fmt.Sprintf("A Bitcoin node already runs on this machine. To use it, instead of downloading the chain once more, start the box with --node-url %s %s.", found.URL, login)
}

// asksForLogin tells whether the RPC of a bitcoind is there: it answers nobody
// without a password, and says what it is.
func asksForLogin(ctx context.Context, url string) bool {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, http.NoBody)
	if err != nil {
		return false
	}
	transport := &http.Transport{Proxy: nil, DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusUnauthorized && resp.Header.Get("WWW-Authenticate") == `Basic realm="jsonrpc"`
}

// lookAround tells of a node that runs here already, as long as the box has no
// chain of its own.
func (a *Appliance) lookAround(ctx context.Context) {
	n, useful := neighbourOf(a.network)
	if !useful || a.config.External.named() {
		return
	}
	if _, err := os.Stat(a.nodeDir()); err == nil {
		return
	}
	if text := n.look(ctx); text != "" {
		a.log.Warn("There is a node already", "text", text)
		a.found.Store(&text)
	}
}
