package webui

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// connectView fills templates/connect.html.
type connectView struct {
	Hosts      []string // addresses of this box in its network
	Port       int      // the ordinary one
	Extra      []connectPort
	Settlement string
	Online     int        // workers that have sent a share
	Seen       []seenLine // the newest connections, the newest first; for operators

	Since time.Time  // when the page was opened first
	New   []seenLine // who has come since then; for strangers without their names

	Newest  *seenLine // of Seen, without its name; for everybody
	Example string    // an address of the network
	URLs    []string  // of the ordinary port
}

// connectPort is a port for miners that are not served well by the ordinary one.
type connectPort struct {
	Name string // "small", "high" or "tls"
	Port int
	TLS  bool

	URL string
}

// seenLine is a worker that has connected.
type seenLine struct {
	Name      string
	UserAgent string
	At        time.Time // when it connected
	LastShare time.Time // on this connection; zero: none yet
}

// maxSeen is how many connections the page lists: whoever waits for a miner has
// just switched it on.
const maxSeen = 8

func (s *site) connect(r *http.Request, who caller) (any, error) {
	v := s.box.Connect(r.Context())
	if len(v.Seen) > 0 {
		v.Newest = &seenLine{At: v.Seen[0].At, LastShare: v.Seen[0].LastShare}
	}
	v.Since = s.openedAt(r)
	v.New = v.since()
	v.Seen = v.Seen[:min(maxSeen, len(v.Seen))]
	if !who.signedIn() {
		v.Seen = nil
		for i := range v.New {
			v.New[i].Name, v.New[i].UserAgent = "", ""
		}
	}
	// The address that the browser reached us by comes first: the miner is
	// likely to reach it too. A name such as pool.local is no use to a miner.
	if here := hostname(r.Host); net.ParseIP(here) != nil && !net.ParseIP(here).IsLoopback() {
		v.Hosts = slices.DeleteFunc(v.Hosts, func(h string) bool { return h == here })
		v.Hosts = slices.Insert(v.Hosts, 0, here)
	}
	for _, host := range v.Hosts {
		v.URLs = append(v.URLs, stratumURL(host, v.Port, false))
	}
	v.Extra = slices.Clone(v.Extra)
	for i := range v.Extra {
		p := &v.Extra[i]
		p.URL = stratumURL(v.Host(), p.Port, p.TLS)
	}
	v.Example = exampleAddress(s.box.Identity().Network)
	return v, nil
}

// openedAt is since when the visitor waits: the link of the page to itself says it, so
// that neither a refresh nor a new connection of the script begins from the start.
func (s *site) openedAt(r *http.Request) time.Time {
	now := s.now()
	unix, err := strconv.ParseInt(r.URL.Query().Get("since"), 10, 64)
	if at := time.Unix(unix, 0); err == nil && at.Before(now) && at.After(now.Add(-sessionLife)) {
		return at
	}
	return now.Truncate(time.Second)
}

// since are the connections that were made after the page was opened, the newest of
// each worker.
func (v connectView) since() (fresh []seenLine) {
	for _, line := range v.Seen { // the newest first
		known := slices.ContainsFunc(fresh, func(l seenLine) bool { return l.Name == line.Name })
		if !line.At.Before(v.Since) && !known && len(fresh) < maxSeen {
			fresh = append(fresh, line)
		}
	}
	return fresh
}

// Here is the page with the time since when it waits.
func (v connectView) Here() string { return "/connect?since=" + strconv.FormatInt(v.Since.Unix(), 10) }

// Host is where a miner finds this box.
func (v connectView) Host() string {
	if len(v.Hosts) == 0 {
		return "127.0.0.1"
	}
	return v.Hosts[0]
}

// URL is what a miner is given.
func (v connectView) URL() string { return stratumURL(v.Host(), v.Port, false) }

// HasTLS reports whether there is a port with TLS.
func (v connectView) HasTLS() bool {
	return slices.ContainsFunc(v.Extra, func(p connectPort) bool { return p.TLS })
}

func stratumURL(host string, port int, tls bool) string {
	scheme := "stratum+tcp://"
	if tls {
		scheme = "stratum+ssl://"
	}
	return scheme + net.JoinHostPort(host, strconv.Itoa(port))
}

// exampleAddress shows the shape of an address without being one. The practice chain
// is for those who may not have one yet: there it is BIP 173's own, whose key everybody
// knows.
func exampleAddress(network string) string {
	switch network {
	case "practice":
		return "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
	case "main":
		return "bc1q…h4x2"
	case "regtest":
		return "bcrt1q…h4x2"
	}
	return "tb1q…h4x2"
}
