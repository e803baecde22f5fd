package pool

import (
	"fmt"
	"net/url"
	"strings"
	"time"
)

// WindowRules are the part of the settings about the web pages: who may open them,
// and how they show amounts and times.
type WindowRules struct {
	AdminFrom     string `json:"admin_from"`     // [FromPrivate] or [FromAnywhere]: where operators may come from
	ObserverPages bool   `json:"observer_pages"` // strangers may look up one miner, on the pages and in the public API
	Metrics       string `json:"metrics"`        // [MetricsOff], [MetricsToken] or [MetricsLocal]: who may ask for figures in the form of Prometheus
	Amounts       string `json:"amounts"`        // [AmountsMixed], [AmountsSats] or [AmountsBTC]
	TimeZone      string `json:"time_zone"`      // IANA name of the zone in which the pages are made
	ExplorerURL   string `json:"explorer_url"`   // of a block explorer that the pages lead to, empty for none
}

// Where operators may come from.
const (
	FromPrivate  = "private"  // this machine, and networks that are not reached from the internet
	FromAnywhere = "anywhere" // the internet, too
)

// Who may ask for the figures of /metrics.
const (
	MetricsOff   = "off"
	MetricsToken = "token" // whoever shows a token that may look
	MetricsLocal = "local" // and every program on this machine
)

// How amounts are written where no decision depends on the last satoshi.
const (
	AmountsMixed = "mixed" // satoshis below a million, bitcoin from there on
	AmountsSats  = "sats"
	AmountsBTC   = "btc"
)

func defaultWindowRules() WindowRules {
	return WindowRules{AdminFrom: FromPrivate, ObserverPages: true, Metrics: MetricsOff, Amounts: AmountsMixed, TimeZone: "UTC"}
}

// validate returns one error for each rule that cannot be.
func (w WindowRules) validateWindow() (errs []error) {
	refuse := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if w.AdminFrom != FromPrivate && w.AdminFrom != FromAnywhere {
		refuse("operators cannot come from %q; choose %s or %s", w.AdminFrom, FromPrivate, FromAnywhere)
	}
	if w.Metrics != MetricsOff && w.Metrics != MetricsToken && w.Metrics != MetricsLocal {
		refuse("figures cannot be asked for by %q; choose %s, %s or %s", w.Metrics, MetricsOff, MetricsToken, MetricsLocal)
	}
	if w.Amounts != AmountsMixed && w.Amounts != AmountsSats && w.Amounts != AmountsBTC {
		refuse("amounts cannot be written as %q; choose %s, %s or %s", w.Amounts, AmountsMixed, AmountsSats, AmountsBTC)
	}
	if _, err := time.LoadLocation(w.TimeZone); err != nil || w.TimeZone == "" || w.TimeZone == "Local" {
		refuse("time zone %q is not known; give a name like Europe/Berlin", w.TimeZone)
	}
	if !plainAddress(w.ExplorerURL) {
		refuse("block explorer %q cannot be linked to; write it like https://mempool.space or http://192.168.1.60:3006, with nothing behind the path", w.ExplorerURL)
	}
	return errs
}

// plainAddress reports whether a link can be made of text by adding to its path.
func plainAddress(text string) bool {
	if text == "" {
		return true
	}
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" &&
		u.User == nil && !strings.ContainsAny(text, "?# \\")
}

// ExplorerLink returns where the explorer shows a transaction ("tx") or a block
// ("block"), as all explorers of the usual kind have it; empty without one.
func (w WindowRules) ExplorerLink(kind, id string) string {
	if w.ExplorerURL == "" {
		return ""
	}
	return strings.TrimSuffix(w.ExplorerURL, "/") + "/" + kind + "/" + url.PathEscape(id)
}
