package webui

import "html/template"

// Many things have a state: a block, a payout, a worker, a job, the node. Its word
// stands in the catalogue under the kind of the thing, and its colour says the same
// for all: green is good and final, blue is on its way, amber wants a look, red is
// lost or broken, and grey is over without either.

// word is the text of a family, such as "state.block.", for one of its names; a name
// that has no text stands for itself.
func (w *words) word(family, name string) string {
	if !w.has(family + name) {
		return name
	}
	return w.must(family + name)
}

// maybe is the text of a family for one of its names, or nothing.
func (w *words) maybe(family, name string) (template.HTML, error) {
	if !w.has(family + name) {
		return "", nil
	}
	return w.html(family + name)
}

// badge is a state with its colour.
func (w *words) badge(family, state string) template.HTML {
	class := "badge"
	if t := tone(state); t != "" {
		class += " " + t
	}
	return template.HTML(`<span class="` + class + `">` + template.HTMLEscapeString(w.word(family, state)) + `</span>`)
}

func tone(state string) string {
	switch state {
	case "mature", "settled", "online", "ready", "healthy", "done", "pass", "sound", "sent", "over":
		return "ok"
	case "accepted", "approved", "signed", "broadcast", "confirmed", "waiting", "running", "info":
		return "info"
	case "found", "unknown", "unchecked", "pending", "cancelling", "evicted", "idle", "degraded",
		"warning", "warming", "starting", "stopping", "headers-presync", "ibd", "catching-up":
		return "warn"
	case "orphaned", "stale", "rejected", "expired", "failed", "down", "absent", "banned", "fail", "unsound", "critical", "dropped":
		return "bad"
	case "here":
		return "ok"
	case "away":
		return "warn"
	case "other":
		return "bad"
	}
	return ""
}
