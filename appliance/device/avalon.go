package device

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// avalonText is where an Avalon has its figures: Key[value] Key[value] …, in a field
// called MM ID0, or MM ID0:Summary.
func avalonText(estats reply) string {
	for _, f := range estats.sections["stats"] {
		for _, name := range []string{"mm id0", "mm id0:summary", "mm id1"} {
			if text := f.exact(name); text != "" {
				return text
			}
		}
	}
	return ""
}

// bracketed is the value of a key in such a text, empty when it is not there.
func bracketed(text, key string) string {
	_, rest, ok := strings.Cut(" "+text, " "+key+"[")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(rest, "]")
	return value
}

// avalonCelsius is the warmest chip.
func avalonCelsius(text string) *float64 {
	for _, key := range []string{"TMax", "TAvg", "OTemp", "Temp"} {
		if v, err := strconv.ParseFloat(bracketed(text, key), 64); err == nil {
			return &v
		}
	}
	return nil
}

// avalonWatts is the power that the supply gives out, PS[error … power …]: the fifth of
// six figures, the seventh where there are more.
func avalonWatts(text string) *float64 {
	list := strings.Fields(bracketed(text, "PS"))
	place := 4
	switch {
	case len(list) > 6:
		place = 6
	case len(list) != 6:
		return nil
	}
	v, err := strconv.ParseFloat(list[place], 64)
	if err != nil {
		return nil
	}
	return &v
}

// setAvalon writes a pool into the place that comes first and restarts the device: it
// tells the new one only then.
func (l *LAN) setAvalon(ctx context.Context, before Device, want Pool, login Login) (Done, error) {
	if login.User == "" || login.Password == "" {
		return Done{}, refused("the miner asks for the user name and the password of its own page")
	}
	list := []string{login.User, login.Password, want.URL, want.User, login.PoolPassword}
	if slices.ContainsFunc(list, func(s string) bool { return strings.ContainsAny(s, ",|\\\"") || !keepable(s) }) {
		return Done{}, refused("the miner cannot be told a name or password with a comma, a bar, a quotation mark or a backslash: use its own page")
	}
	slotted := slices.Insert(slices.Clone(list), 2, strconv.Itoa(before.Setting.Slot))
	r, err := l.command(ctx, before.IP, "setpool", strings.Join(slotted, ","))
	if err == nil && r.status.code == codeUnknown { // an A10 or older
		r, err = l.command(ctx, before.IP, "ascset", "0,setpool,"+strings.Join(list, ","))
	}
	if err != nil {
		return Done{}, failed(r, err)
	}
	if !r.status.ok() || !strings.Contains(strings.ToLower(r.status.text), "success") { // it may repeat the password, so nobody is told what it says
		return Done{}, refused("the miner refused: its user name or its password is another")
	}
	done := Done{Lasting: true}
	if r, err := l.command(ctx, before.IP, "ascset", "0,reboot,0"); err == nil && r.status.ok() {
		done.Restarting = true
	}
	return done, nil
}
