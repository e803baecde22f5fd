package webui

import (
	"net"
	"net/http"
	"slices"
	"strconv"
)

// connectView fills templates/connect.html.
type connectView struct {
	Hosts      []string // addresses of this box in its network
	Port       int
	Settlement string
	Online     int
	Names      []string // workers that are online, without their addresses
	More       int      // that are online and not in Names

	Example string // an address of the network
	URLs    []string
}

func (s *site) connect(r *http.Request, who caller) (any, error) {
	v := s.box.Connect(r.Context())
	if !who.signedIn() {
		v.Names = nil
	}
	if n := len(v.Names); n > maxLines {
		v.Names, v.More = v.Names[:maxLines], n-maxLines
	}
	// The address that the browser reached us by comes first: the miner is
	// likely to reach it too. A name such as pool.local is no use to a miner.
	if here := hostname(r.Host); net.ParseIP(here) != nil && !net.ParseIP(here).IsLoopback() {
		v.Hosts = slices.DeleteFunc(v.Hosts, func(h string) bool { return h == here })
		v.Hosts = slices.Insert(v.Hosts, 0, here)
	}
	for _, host := range v.Hosts {
		v.URLs = append(v.URLs, "stratum+tcp://"+net.JoinHostPort(host, strconv.Itoa(v.Port)))
	}
	v.Example = exampleAddress(s.box.Identity().Network)
	return v, nil
}

// exampleAddress shows the shape of an address without being one.
func exampleAddress(network string) string {
	switch network {
	case "main":
		return "bc1q…h4x2"
	case "regtest":
		return "bcrt1q…h4x2"
	}
	return "tb1q…h4x2"
}
