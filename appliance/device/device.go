package device

import (
	"encoding/json"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// API is what a device speaks.
type API string

// The APIs that are known.
const (
	AxeOS      API = "axeos"
	CGMiner    API = "cgminer"
	Antminer   API = "antminer"
	WhatsMiner API = "whatsminer"
	Avalon     API = "avalon"
)

// Way is how the pool of a device can be changed.
type Way string

// The ways.
const (
	ByClick    Way = "click"    // by its API
	ByPassword Way = "password" // by its API, with the user name and password of its own page
	ByHand     Way = "hand"     // on its own page only
)

// Obstacle says why a device is [ByHand].
type Obstacle string

// The obstacles.
const (
	ReadOnly Obstacle = "read-only" // its API only tells
	Locked   Obstacle = "locked"    // it asks for a one-time code
	Token    Obstacle = "token"     // its API wants a token made of a password
	Unkept   Obstacle = "unkept"    // what it is told now could not be put back
)

// Device is a miner as it answered.
type Device struct {
	IP       netip.Addr
	API      API
	Model    string // as it calls itself
	Firmware string
	Name     string // in the network, empty for most
	Serial   string // address of its network card, or its number; empty: it tells none
	Figures
	Setting  Setting
	Way      Way
	Obstacle Obstacle // of one that is ByHand
}

// Figures are what a device measures; nil is not known.
type Figures struct {
	Hashrate *float64 // hashes per second, the mean of some minutes where there is one
	Celsius  *float64 // of the warmest chip that it tells of
	Watts    *float64
}

// Pool is whom a device mines for.
type Pool struct {
	URL  string `json:"url"`  // stratum+tcp://host:port
	User string `json:"user"` // as the pool is told
}

// Setting is what a device is told about pools: as much as it takes to put it back.
type Setting struct {
	Pool  Pool                       `json:"pool"`            // that it mines for when all is well
	Slot  int                        `json:"slot,omitempty"`  // of that pool in its list
	List  []Pool                     `json:"list,omitempty"`  // all its pools
	Exact map[string]json.RawMessage `json:"exact,omitempty"` // AxeOS: the fields as they came
}

// Login is what some devices ask for. It is kept nowhere.
type Login struct {
	User, Password string // of the device's own page
	PoolPassword   string // of the old pool, for [LAN.PutBack]
}

// Done says how far a change came.
type Done struct {
	Seen       bool // the device was asked again and says what it was told
	Now        Pool // what it says; zero when it did not say
	Restarting bool // it said that it restarts
	Lasting    bool // the change outlives its next restart
}

// ErrNotMiner says that there is nobody at an address, or nobody who mines.
var ErrNotMiner = errors.New("no miner answers there")

// Error says in a sentence what a device did not do.
type Error struct {
	Err       error
	Unchanged bool // nothing was changed, for certain
}

// Error implements error.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the sentence.
func (e *Error) Unwrap() error { return e.Err }

// refuse makes an [Error] after which a device may be told either pool, and refused one
// after which it is told what it was.
func refuse(sentence string) error  { return &Error{errors.New(sentence), false} }
func refused(sentence string) error { return &Error{errors.New(sentence), true} }

// Same reports whether two pools are the same to a miner. Whether the URL names its
// protocol is a matter of taste.
func (p Pool) Same(q Pool) bool {
	a, b := endpoint(p.URL), endpoint(q.URL)
	return a != "" && a == b && p.User == q.User
}

// At reports whether the pool is the one at this host and port.
func (p Pool) At(host string, port int) bool {
	h, n, ok := p.Endpoint()
	return ok && h == host && n == port
}

// Endpoint is where the pool is.
func (p Pool) Endpoint() (host string, port int, ok bool) {
	text := p.URL
	if !strings.Contains(text, "://") {
		text = "stratum+tcp://" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return "", 0, false
	}
	port, err = strconv.Atoi(u.Port())
	return strings.ToLower(u.Hostname()), port, err == nil && u.Hostname() != ""
}

// endpoint is the host and port of a URL, with its protocol if that is encrypted.
func endpoint(text string) string {
	host, port, ok := Pool{URL: text}.Endpoint()
	if !ok {
		return strings.ToLower(text)
	}
	for _, scheme := range []string{"stratum+ssl://", "stratum+tls://", "stratum2+tcp://"} {
		if strings.HasPrefix(strings.ToLower(text), scheme) {
			return scheme + host + ":" + strconv.Itoa(port)
		}
	}
	return host + ":" + strconv.Itoa(port)
}

// has reports whether a pool is in the list.
func (s Setting) has(p Pool) bool { return slices.ContainsFunc(s.List, p.Same) }

// Lasting reports whether a pool that was set by the API is still set after the device
// has restarted.
func (a API) Lasting() bool { return a == AxeOS || a == Avalon }
