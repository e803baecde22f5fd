package device

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// codeUnknown is what all of them answer to a command that they do not have.
const codeUnknown = 14

// readCGMiner reads a device that speaks cgminer's API or a descendant of it.
func (l *LAN) readCGMiner(ctx context.Context, ip netip.Addr) (Device, error) {
	version, err := l.command(ctx, ip, "version", "")
	if err != nil {
		return Device{}, err
	}
	if version.status.code == codeUnknown && version.first("version") == nil {
		if version, err = l.command(ctx, ip, "get_version", ""); err != nil {
			return Device{}, err
		}
	}
	d, err := identify(version)
	if err != nil {
		return Device{}, err
	}
	d.IP = ip
	summary, err := l.command(ctx, ip, "summary", "")
	if err != nil {
		return Device{}, err
	}
	pools, err := l.command(ctx, ip, "pools", "")
	if err != nil {
		return Device{}, err
	}
	d.Setting = settingOf(pools)
	detail, err := l.command(ctx, ip, detailOf(d.API), "")
	if err != nil || !detail.status.ok() {
		detail = reply{} // some do without
	}
	d.tell(summary, detail)
	l.findWay(ctx, &d)
	return d, nil
}

// identify tells from the answer to version what a device is.
func identify(version reply) (Device, error) {
	v := version.first("version")
	whats := version.first("msg")
	switch {
	case strings.HasPrefix(strings.ToLower(v.text("prod")), "avalon"):
		return Device{
			API: Avalon, Model: v.text("prod"), Serial: strings.ToLower(firstOf(v, "mac", "dna")),
			Firmware: firstOf(v, "lversion", "version", "cgversion"),
		}, nil
	case strings.Contains(strings.ToLower(v.text("type")), "antminer"), v["bmminer"] != nil:
		d := Device{API: Antminer, Model: v.text("type"), Firmware: firstOf(v, "compiletime", "bmminer")}
		if d.Model == "" {
			d.Model = "Antminer"
		}
		return d, nil
	case whats["fw_ver"] != nil, strings.Contains(strings.ToLower(version.status.by), "whatsminer"), strings.Contains(strings.ToLower(version.status.by), "btminer"):
		return Device{API: WhatsMiner, Model: "WhatsMiner", Firmware: whats.text("fw_ver")}, nil
	case v["api"] != nil:
		d := Device{API: CGMiner, Model: "cgminer", Firmware: firstOf(v, "cgminer", "miner", "boser", "bosminer", "sgminer")}
		if d.Model = firstOf(v, "type", "prod", "model"); d.Model == "" {
			if d.Model, _, _ = strings.Cut(version.status.by, " "); d.Model == "" {
				d.Model = "cgminer"
			}
		}
		return d, nil
	}
	return Device{}, errNoReply
}

// firstOf is the first text that is there.
func firstOf(f fields, names ...string) string {
	for _, name := range names {
		if text := f.text(name); text != "" {
			return text
		}
	}
	return ""
}

// detailOf is the command that tells what summary leaves out.
func detailOf(api API) string {
	switch api {
	case Avalon:
		return "estats"
	case Antminer:
		return "stats"
	case WhatsMiner:
		return "devdetails"
	}
	return "devs"
}

// tell adds what the device measures, and what else the answers say of it.
func (d *Device) tell(summary, detail reply) {
	s := summary.first("summary")
	var celsius, watts *float64
	switch d.API {
	case WhatsMiner:
		celsius, watts = largest(s.number("chip temp max"), s.number("temperature")), s.number("power")
		if model := detail.first("devdetails").text("model"); model != "" {
			d.Model = clean("WhatsMiner " + model)
		}
		if d.Firmware == "" {
			d.Firmware = clean(strings.Trim(s.text("firmware version"), "'"))
		}
		d.Serial = strings.ToLower(s.text("mac"))
	case Antminer:
		celsius = antminerCelsius(detail.sections["stats"])
	case Avalon:
		text := avalonText(detail)
		celsius, watts = avalonCelsius(text), avalonWatts(text)
	default:
		for _, dev := range detail.sections["devs"] {
			celsius = largest(celsius, dev.number("temperature"))
		}
	}
	d.Figures = figures(hashrateOf(s), celsius, watts)
}

// hashrateOf is the mean of some minutes where there is one. Firmware reports in
// thousands, millions or billions of hashes.
func hashrateOf(s fields) *float64 {
	for _, span := range []string{"1m", "5m", "rt", "5s", "30s", "av"} {
		for i, unit := range []string{"khs", "mhs", "ghs"} {
			if v := s.number(unit + " " + span); v != nil {
				return times(v, []float64{1e3, 1e6, 1e9}[i])
			}
		}
	}
	return times(s.number("hs rt"), 1e6) // WhatsMiner's
}

// settingOf reads the answer to pools: the pool of the first rank is what a device was
// told to mine for, whichever it mines for at the moment.
func settingOf(pools reply) (s Setting) {
	rank := func(f fields) float64 {
		if v := f.number("priority"); v != nil {
			return *v
		}
		return 1e9
	}
	list := slices.DeleteFunc(slices.Clone(pools.sections["pools"]), func(f fields) bool { return f.exact("url") == "" })
	slices.SortStableFunc(list, func(a, b fields) int { return int(rank(a) - rank(b)) })
	for i, f := range list {
		pool := Pool{f.exact("url"), f.exact("user")}
		if i == 0 {
			s.Pool, s.Slot = pool, slotOf(f)
		}
		if len(s.List) < maxPools {
			s.List = append(s.List, pool)
		}
	}
	return s
}

// maxPools bounds the list that is kept; no firmware is known to have more than a few.
const maxPools = 16

// slotOf is the number by which commands name a pool.
func slotOf(f fields) int {
	if v := f.number("pool"); v != nil && *v >= 0 && *v < 1000 {
		return int(*v)
	}
	return 0
}

// findWay finds out whether the pool can be changed by the API: whoever may not write
// is told so by the command privileged, which changes nothing.
func (l *LAN) findWay(ctx context.Context, d *Device) {
	d.Way, d.Obstacle = ByHand, ReadOnly
	switch {
	case d.API == WhatsMiner:
		d.Obstacle = Token
	case d.Setting.Pool.URL == "" || !d.Setting.keepable() || slices.ContainsFunc(d.Setting.List, func(p Pool) bool { return !keepable(p.URL) || !keepable(p.User) }):
		d.Obstacle = Unkept
	case d.API == Avalon:
		d.Way, d.Obstacle = ByPassword, ""
	default:
		if r, err := l.command(ctx, d.IP, "privileged", ""); err == nil && r.status.ok() {
			d.Way, d.Obstacle = ByClick, ""
		}
	}
}

// switchTo adds a pool to the list of a device and moves it to the first place.
func (l *LAN) switchTo(ctx context.Context, before Device, want Pool) (Done, error) {
	if before.Setting.has(want) {
		return l.toFront(ctx, before.IP, want)
	}
	r, err := l.command(ctx, before.IP, "addpool", parameters(want.URL, want.User, poolPassword))
	if err := failed(r, err); err != nil {
		return Done{}, err
	}
	done, err := l.toFront(ctx, before.IP, want)
	if err != nil {
		err = refuse(err.Error()) // its list has changed at least
	}
	return done, err
}

// toFront moves a pool of the list to the first place, and looks whether it is there.
func (l *LAN) toFront(ctx context.Context, ip netip.Addr, want Pool) (done Done, err error) {
	slot, err := l.slot(ctx, ip, want)
	if err != nil {
		return done, err
	}
	r, err := l.command(ctx, ip, "switchpool", slot)
	if err := failed(r, err); err != nil {
		return done, err
	}
	pools, err := l.command(ctx, ip, "pools", "")
	if err != nil {
		return done, refuse("the miner was told, but it does not answer any more: look at it in a minute")
	}
	done.Now = settingOf(pools).Pool
	if done.Seen = done.Now.Same(want); !done.Seen {
		return done, refuse("the miner took the change, but does not say what it was told")
	}
	return done, nil
}

// errNotListed says that a pool is not in the list of a device.
var errNotListed = refused("the pool is not in the list of the miner any more: enter it on its own page")

// slot finds the number of a pool in the list of a device, as a parameter.
func (l *LAN) slot(ctx context.Context, ip netip.Addr, want Pool) (string, error) {
	pools, err := l.command(ctx, ip, "pools", "")
	if err := failed(pools, err); err != nil {
		return "", err
	}
	for _, f := range pools.sections["pools"] {
		if want.Same(Pool{f.exact("url"), f.exact("user")}) {
			return fmt.Sprint(slotOf(f)), nil
		}
	}
	return "", errNotListed
}

// switchBack moves the old pool to the first place again, and takes ours out of the
// list if it was not there before.
func (l *LAN) switchBack(ctx context.Context, before Device, kept Setting, ours Pool) (Done, error) {
	done, err := l.toFront(ctx, before.IP, kept.Pool)
	if err != nil || kept.has(ours) {
		return done, err
	}
	slot, err := l.slot(ctx, before.IP, ours)
	if err == nil {
		var r reply
		r, err = l.command(ctx, before.IP, "removepool", slot)
		err = failed(r, err)
	}
	if err != nil && !errors.Is(err, errNotListed) {
		return done, refuse("the miner mines for its old pool again; ours is still in its list")
	}
	return done, nil
}

// failed is what to tell of a command that was not done.
func failed(r reply, err error) error {
	switch {
	case err != nil:
		return refuse("the miner does not answer: nothing is known to have changed, look at it again")
	case !r.status.ok():
		return refused(fmt.Sprintf("the miner refused: %q", r.status.text))
	}
	return nil
}

// parameters joins the parameters of a command.
func parameters(list ...string) string {
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`)
	for i := range list {
		list[i] = escape.Replace(list[i])
	}
	return strings.Join(list, ",")
}

// antminerCelsius is the warmest chip, or board where chips are not told of: a number
// per board, or one for each corner of it, 58-58-66-66.
func antminerCelsius(stats []fields) *float64 {
	var chips, boards *float64
	for _, f := range stats {
		for name := range f {
			switch {
			case strings.HasPrefix(name, "temp_chip"):
				for corner := range strings.SplitSeq(f.exact(name), "-") {
					chips = largest(chips, fields{"v": quoted(corner)}.number("v"))
				}
				chips = largest(chips, f.number(name))
			case strings.HasPrefix(name, "temp2_"), strings.HasPrefix(name, "temp3_"):
				chips = largest(chips, f.number(name))
			case strings.HasPrefix(name, "temp") && strings.Trim(name[4:], "0123456789") == "":
				boards = largest(boards, f.number(name))
			}
		}
	}
	if chips = within(chips, 1, 150); chips != nil {
		return chips
	}
	return boards
}
