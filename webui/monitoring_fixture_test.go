package webui

import (
	"context"
	"log/slog"
	"math"
	"time"

	"github.com/dmpool/dmpool/appliance/logbook"
)

// measured is a box that was measured for some hours, with a gap.
func measured() monitoringView {
	wave := func(base, swing float64) []*float64 {
		var values []*float64
		for i := range 640 {
			v := base + swing*math.Sin(float64(i)/40)*math.Cos(float64(i)/7)
			if i > 300 && i < 340 {
				values = append(values, nil)
				continue
			}
			values = append(values, &v)
		}
		return values
	}
	var times []time.Time
	for i := range 640 {
		times = append(times, noon.Add(time.Duration(i-640)*30*time.Second))
	}
	return monitoringView{
		Started: noon.Add(-6 * time.Hour), Times: times, Calls: 48211, Failed: 3, Template: noon.Add(-12 * time.Second),
		Machine: []meter{
			newMeter("cpu", inPercent, nil, wave(0.13, 0.06), sampleSlots),
			newMeter("memory", inBytes, new(8.2e9), wave(3.1e9, 0.2e9), sampleSlots),
			newMeter("disk", inBytes, new(1.0e12), wave(312e9, 0.4e9), sampleSlots),
			newMeter("received", inFlow, nil, wave(52_000, 30_000), sampleSlots),
			newMeter("sent", inFlow, nil, wave(21_000, 9_000), sampleSlots),
			newMeter("warmth", inCelsius, nil, nil, sampleSlots),
		},
		Miners: []meter{
			newMeter("connections", inCount, nil, wave(5, 1.2), sampleSlots),
			newMeter("shares", inShares, nil, wave(1.4, 0.6), sampleSlots),
			newMeter("rejected", inPercent, nil, wave(0.0012, 0.001), sampleSlots),
		},
		Node: []meter{
			newMeter("rpc_median", inSeconds, nil, wave(0.0011, 0.0003), sampleSlots),
			newMeter("rpc_p99", inSeconds, nil, wave(0.031, 0.009), sampleSlots),
		},
		Disk: new(1.0e12), Free: new(312e9),
		Parts: []partSize{
			{"ledger", "/var/lib/dmpool/practice/ledger.db", new(3.2e6)},
			{"shares", "/var/lib/dmpool/practice/shares.db", new(640e6)},
			{"node", "/var/lib/dmpool/practice/node", new(612e9)},
		},
	}
}

// book is a log with lines of all weights, some of strangers.
func book() *logbook.Book {
	b := logbook.New(100)
	for _, line := range []struct {
		level slog.Level
		text  string
		attrs []any
	}{
		{slog.LevelInfo, "Pool started", []any{"network", "practice", "port", 3333}},
		{slog.LevelInfo, "Miner connected", []any{"peer", "192.168.1.77", "agent", hostile}},
		{slog.LevelWarn, "Wallet not copied", []any{"err", "no space left on device"}},
		{slog.LevelError, "Job failed", []any{"job", "wallet-backup", "err", "copy wallet: no space left on device"}},
		{slog.LevelInfo, "Block found", []any{"height", 925001, "hash", "00000000000000000000000000000000000000000000007be1c04d52aa9913f0"}},
	} {
		log := slog.New(b.Handler(slog.DiscardHandler))
		log.Log(context.Background(), line.level, line.text, line.attrs...)
	}
	return b
}
