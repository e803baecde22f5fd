package devicetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/dmpool/dmpool/appliance/device"
)

// CGMiner simulates a miner that speaks cgminer's API, or one derived from it.
type CGMiner struct {
	IP netip.Addr

	mu     sync.Mutex
	say    func(m *CGMiner, command, parameter string) string
	pools  []listed // by rank
	used   int      // numbers of pools that were given out
	next   []listed // of an Avalon, after its next restart
	write  bool     // who asks may change things
	resets int
	heard  []string // commands
}

// listed is a pool with its number and its password, which is never told.
type listed struct {
	device.Pool

	number   int
	password string
}

// Generic adds a cgminer whose owner lets the home network write (--api-allow W:…).
func (h *Home) Generic() *CGMiner {
	return h.cgminer((*CGMiner).generic, true)
}

// Antminer adds one with the firmware that it is sold with: whose API only tells, in
// broken JSON.
func (h *Home) Antminer() *CGMiner { return h.cgminer((*CGMiner).antminer, false) }

// WhatsMiner adds one whose API wants a token from whoever writes.
func (h *Home) WhatsMiner() *CGMiner { return h.cgminer((*CGMiner).whatsMiner, false) }

// Avalon adds one whose API has setpool, with the login admin and "web password"; an A10 has it
// inside ascset, with the login root and root.
func (h *Home) Avalon() *CGMiner { return h.cgminer((*CGMiner).avalon, false) }

// AvalonA10 adds an older one.
func (h *Home) AvalonA10() *CGMiner { return h.cgminer((*CGMiner).avalonA10, false) }

func (h *Home) cgminer(say func(*CGMiner, string, string) string, write bool) *CGMiner {
	m := &CGMiner{say: say, write: write, used: 2}
	for i, url := range []string{"stratum+tcp://old.example:3333", "stratum+tcp://older.example:3333"} {
		m.pools = append(m.pools, listed{device.Pool{URL: url, User: "me.rig"}, i, "old password"})
	}
	m.IP = h.Serve("api", m.answer)
	return m
}

// Mining is whom it mines for, and how often it has restarted.
func (m *CGMiner) Mining() (device.Pool, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pools[0].Pool, m.resets
}

// Passwords are those of its pools, by rank.
func (m *CGMiner) Passwords() (list []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, p := range m.pools {
		list = append(list, p.password)
	}
	return list
}

// Heard are the commands that it got.
func (m *CGMiner) Heard() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.heard)
}

func (m *CGMiner) answer(conn net.Conn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var req struct{ Command, Parameter string }
	if json.NewDecoder(conn).Decode(&req) != nil {
		return
	}
	m.heard = append(m.heard, req.Command)
	_, _ = io.WriteString(conn, m.say(m, req.Command, req.Parameter)+"\x00")
}

// verdict is the head of an answer.
func verdict(kind string, code int, text, by string) string {
	return fmt.Sprintf(`"STATUS":[{"STATUS":"%s","When":1765004019,"Code":%d,"Msg":%q,"Description":%q}]`, kind, code, text, by)
}

func (m *CGMiner) generic(command, parameter string) string {
	const by = "cgminer 4.13.1"
	switch command {
	case "version":
		return `{` + verdict("S", 22, "CGMiner versions", by) + `,"VERSION":[{"CGMiner":"4.13.1","API":"3.7"}],"id":1}`
	case "summary":
		return `{` + verdict("S", 11, "Summary", by) + `,"SUMMARY":[{"Elapsed":4143,"MHS av":431872.10,"MHS 5s":430000,"MHS 1m":432000.50,"Accepted":9}],"id":1}`
	case "devs":
		return `{` + verdict("S", 9, "1 ASC(s)", by) + `,"DEVS":[{"ASC":0,"Name":"GSF","Temperature":43.50},{"ASC":1,"Name":"GSF","Temperature":0.00}],"id":1}`
	}
	return m.common(command, parameter, by)
}

// common are the commands that cgminer and most of its descendants share.
func (m *CGMiner) common(command, parameter, by string) string {
	say := func(kind string, code int, text string) string {
		return `{` + verdict(kind, code, text, by) + `,"id":1}`
	}
	switch command {
	case "pools":
		return `{` + verdict("S", 7, "2 Pool(s)", by) + `,"POOLS":[` + m.listed() + `],"id":1}`
	case "addpool", "switchpool", "removepool", "privileged":
		if !m.write {
			return say("E", 45, "Access denied to '"+command+"' command")
		}
	default:
		return say("E", 14, "Invalid command")
	}
	number, _ := strconv.Atoi(parameter)
	at := slices.IndexFunc(m.pools, func(p listed) bool { return p.number == number })
	switch {
	case command == "privileged":
		return say("S", 46, "Privileged access OK")
	case command == "addpool":
		part := split(parameter)
		if len(part) != 3 {
			return say("E", 53, "Missing addpool details")
		}
		m.pools = append(m.pools, listed{device.Pool{URL: part[0], User: part[1]}, m.used, part[2]})
		m.used++
		return say("S", 55, fmt.Sprintf("Added pool %d: '%s'", m.used-1, part[0]))
	case at < 0:
		return say("E", 26, "Invalid pool id "+parameter)
	case command == "switchpool":
		chosen := m.pools[at]
		m.pools = slices.Insert(slices.Delete(m.pools, at, at+1), 0, chosen)
		return say("S", 27, "Switching to pool "+parameter)
	case at == 0:
		return say("E", 67, "Cannot remove active pool "+parameter)
	}
	m.pools = slices.Delete(m.pools, at, at+1)
	return say("S", 68, "Removed pool "+parameter)
}

// listed are the pools as the API tells them, in the order of their numbers.
func (m *CGMiner) listed() string {
	byNumber := slices.Clone(m.pools)
	slices.SortFunc(byNumber, func(a, b listed) int { return a.number - b.number })
	var list []string
	for _, p := range byNumber {
		rank := slices.Index(m.pools, p)
		list = append(list, fmt.Sprintf(`{"POOL":%d,"URL":%q,"Status":"Alive","Priority":%d,"User":%q,"Stratum Active":%t}`, p.number, p.URL, rank, p.User, rank == 0))
	}
	return strings.Join(list, ",")
}

// split divides parameters at their commas, unless they have a backslash.
func split(text string) (list []string) {
	var part strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			part.WriteByte(text[i])
		case text[i] == ',':
			list = append(list, part.String())
			part.Reset()
		default:
			part.WriteByte(text[i])
		}
	}
	return append(list, part.String())
}
