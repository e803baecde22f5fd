package webui

import "net/http"

// helpView fills templates/help.html: the questions that home miners ask most, as
// help.q.NAME and help.a.NAME name them.
type helpView struct{ Questions []string }

func (*site) help(*http.Request, caller) (any, error) {
	return helpView{[]string{
		"work", "rejected", "stale", "address", "local", "sync", "payout", "block", "chain", "password", "factor", "move",
	}}, nil
}
