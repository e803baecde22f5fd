package webui

import "slices"

// sourceURL is where the source code of this program is.
const sourceURL = "https://github.com/dmpool/dmpool"

// entry is one line of the menu. Its words are base.menu.NAME.
type entry struct {
	Name string   // of the page
	Path string   // where it leads
	Also []string // further pages that it stands for
}

// section is a group of entries under the heading base.menu.NAME.
type section struct {
	Name    string
	Entries []entry
}

// mainMenu is what is looked at every day. It has icons, and on phones its first
// four are the bar at the bottom.
func mainMenu() []entry {
	return []entry{
		{"dashboard", "/", nil},
		{"workers", "/workers", []string{"worker", "bans"}},
		{"blocks", "/blocks", []string{"block"}},
		{"payouts", "/payouts", []string{"payout", "account", "links"}},
		{"node", "/node", nil},
	}
}

// moreMenu is everything else, in groups. A new page is one line here.
func moreMenu() []section {
	return []section{
		{"miners", []entry{
			{"connect", "/connect", nil},
			{"devices", "/devices", []string{"device"}},
			{"find", "/observer", []string{"observer"}},
		}},
		{"money", []entry{
			{"wallet", "/wallet", []string{"words"}},
			{"books", "/books", nil},
		}},
		{"box", []entry{
			{"alerts", "/alerts", []string{"channels", "channel", "alert_rules", "alert_rule"}},
			{"node", "/node", nil}, // on phones only, where it is not in the bar
			{"health", "/health", nil},
			{"monitoring", "/monitoring", nil},
			{"logs", "/logs", nil},
			{"jobs", "/jobs", nil},
			{"drill", "/drill", []string{"report"}},
			{"backup", "/backup", []string{"backup_one", "backup_places", "backup_server", "backup_preview"}},
		}},
		{"rules", []entry{
			{"settings", "/settings", []string{"review"}},
			{"people", "/people", nil},
			{"certificate", "/certificate", nil},
			{"sessions", "/sessions", []string{"offer", "factor", "codes", "token"}},
			{"audit", "/audit", nil},
			{"about", "/about", []string{"support"}},
		}},
	}
}

// publicMenu is what strangers may open.
func publicMenu(observing bool) (list []entry) {
	if observing {
		list = append(list, entry{"find", "/observer", []string{"observer"}})
	}
	return append(list, entry{"connect", "/connect", nil}, entry{"login", "/login", nil})
}

// Menu, More and Public are the menus for templates.
func (*page) Menu() []entry     { return mainMenu() }
func (*page) More() []section   { return moreMenu() }
func (p *page) Public() []entry { return publicMenu(p.Observing) }

// Current is the value of aria-current for e: "page" when it is the page itself,
// "true" when the page belongs to it, else empty.
func (p *page) Current(e entry) string {
	switch {
	case p.Name == e.Name:
		return "page"
	case slices.Contains(e.Also, p.Name):
		return "true"
	}
	return ""
}
