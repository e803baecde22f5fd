package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// AskZMQ in place of an address lets a [Source] ask the node where it publishes, as for a node that somebody else runs.
const AskZMQ = "ask"

// BlockPublisher returns the address at which the node publishes the hashes of new blocks, as this machine reaches it:
// empty when there is none, or when the node publishes to its own machine only, which is not this one
// (getzmqnotifications).
func (c *Client) BlockPublisher(ctx context.Context) (string, error) {
	var publishers []struct {
		Type    string `json:"type"`
		Address string `json:"address"`
	}
	err := c.Call(ctx, "getzmqnotifications", &publishers)
	if IsCode(err, ErrCodeMethodNotFound) {
		return "", nil // built without ZMQ
	}
	if err != nil {
		return "", err
	}
	u, err := url.Parse(c.config.URL)
	if err != nil {
		return "", fmt.Errorf("find the node's publisher: %w", err)
	}
	for _, p := range publishers {
		if p.Type != "pub"+hashBlock {
			continue
		}
		if address := seenFrom(u.Hostname(), p.Address); address != "" {
			return address, nil
		}
	}

	return "", nil
}

// seenFrom turns the address that a publisher is bound to, on the machine host, into one to connect to. What is bound to
// all addresses of host is reached at the one that is known.
func seenFrom(host, bound string) string {
	address, ok := strings.CutPrefix(bound, "tcp://")
	if !ok {
		return "" // a socket in the file system belongs to the node's user
	}
	at, port, err := net.SplitHostPort(address)
	if err != nil {
		return ""
	}
	ip, err := netip.ParseAddr(at)
	switch {
	case at == "*", err == nil && ip.IsUnspecified():
		at = host
	case err == nil && ip.IsLoopback() && !OnThisMachine(host):
		return ""
	}

	return "tcp://" + net.JoinHostPort(at, port)
}

// OnThisMachine reports whether host, of a URL, is a name or address of the loopback.
func OnThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}
