package appliance

import (
	"context"
	"database/sql"
	"fmt"
	"math/big"
	"time"

	"github.com/dmpool/dmpool/pool/shares"
	"github.com/dmpool/dmpool/pool/sqlite"
)

const (
	yieldSpan  = 7 * 24 * time.Hour // and compared with what was earned over this
	yieldLeast = 24 * time.Hour
	wholly     = 0.9 // of the time in which a worker mined must have been measured
)

// Yield is what the workers of an account were credited and what they used meanwhile.
type Yield struct {
	From, To time.Time
	Joules   int64
	Sats     int64 // of blocks that were found then
	PerKWh   int64 // satoshis, rounded down
}

// NoYield says why there is none.
type NoYield string

// The reasons.
const (
	YieldUnmeasured NoYield = "unmeasured" // nothing that mines for the account tells its power
	YieldShort      NoYield = "short"      // for less than a day
	YieldOthers     NoYield = "others"     // other things mine for the account that are not measured
	YieldGaps       NoYield = "gaps"       // for a good part of the time it was not measured
)

func floorHour(t time.Time) time.Time { return time.Unix(t.Unix()/3600*3600, 0) }

// energy is what a worker used in an hour.
type energy struct {
	worker                string
	hour, seconds, joules int64
}

// yield compares what an account was credited with what its workers used: over whole
// hours, for a week, or since the latest of its workers is measured. There is none
// unless everything that mined for the account was measured nearly all the time.
func (a *Appliance) yield(ctx context.Context, log *shares.Log, address string, now time.Time) (*Yield, NoYield, error) {
	to := floorHour(now)
	used, err := a.used(ctx, address, to.Add(-yieldSpan), to)
	if err != nil || len(used) == 0 || log == nil {
		return nil, YieldUnmeasured, err
	}
	from := measuredFrom(used, to)
	if to.Sub(from) < yieldLeast {
		return nil, YieldShort, nil
	}
	mined, err := minedHours(ctx, log, address, from, to)
	if err != nil {
		return nil, YieldUnmeasured, err
	}
	if why := covered(used, mined); why != "" {
		return nil, why, nil
	}
	y := &Yield{From: from, To: to}
	for _, e := range used {
		if e.hour >= from.Unix() {
			y.Joules += e.joules
		}
	}
	if y.Joules == 0 {
		return nil, YieldUnmeasured, nil
	}
	if y.Sats, err = a.ledger.Credited(ctx, address, from, to); err != nil {
		return nil, YieldUnmeasured, err
	}
	y.PerKWh = perKWh(y.Sats, y.Joules)
	return y, "", nil
}

// measuredFrom is the first whole hour in which each worker is measured that is by to.
// The oldest hour of used comes first.
func measuredFrom(used []energy, to time.Time) time.Time {
	from := to.Add(-yieldSpan)
	begun := map[string]bool{}
	for _, e := range used {
		if first := time.Unix(e.hour, 0); !begun[e.worker] && first.After(to.Add(-yieldSpan)) && !first.Before(from) {
			from = first.Add(time.Hour)
		}
		begun[e.worker] = true
	}
	return from
}

// perKWh divides exactly, and rounds down.
func perKWh(sats, joules int64) int64 {
	const kWh = 3_600_000 // joules
	n := new(big.Int).Mul(big.NewInt(sats), big.NewInt(kWh))
	return n.Quo(n, big.NewInt(joules)).Int64()
}

// used reads what the workers of an account used, the oldest hour first.
func (a *Appliance) used(ctx context.Context, address string, from, to time.Time) ([]energy, error) {
	rows, err := a.db.Reader().QueryContext(ctx, `
		SELECT worker, hour, SUM(seconds), SUM(joules) FROM device_hour
		WHERE address = ? AND hour >= ? AND hour < ? GROUP BY worker, hour ORDER BY hour, worker`, address, from.Unix(), to.Unix())
	if err != nil {
		return nil, fmt.Errorf("read energy: %w", err)
	}
	used, err := sqlite.Collect(rows, func(r *sql.Rows) (e energy, err error) {
		return e, r.Scan(&e.worker, &e.hour, &e.seconds, &e.joules)
	})
	if err != nil {
		return nil, fmt.Errorf("read energy: %w", err)
	}
	return used, nil
}

// minedHours are the hours, by their beginnings, in which each worker of an account
// mined.
func minedHours(ctx context.Context, log *shares.Log, address string, from, to time.Time) (map[string][]int64, error) {
	workers, err := log.Workers(ctx, address, to)
	if err != nil {
		return nil, fmt.Errorf("read workers: %w", err)
	}
	mined := map[string][]int64{}
	for _, w := range workers {
		if w.LastShare.Before(from) {
			continue
		}
		points, err := log.Hashrate(ctx, shares.Query{Address: address, Worker: w.Name, From: from, To: to, Step: time.Hour})
		if err != nil {
			return nil, err
		}
		for _, p := range points {
			if p.Known && p.Hashrate > 0 {
				mined[w.Name] = append(mined[w.Name], p.At.Unix())
			}
		}
	}
	return mined, nil
}

// covered says why what was measured is not all that was used, empty if it is.
func covered(used []energy, mined map[string][]int64) NoYield {
	measured := map[string]map[int64]int64{} // seconds of each worker's hours
	for _, e := range used {
		if measured[e.worker] == nil {
			measured[e.worker] = map[int64]int64{}
		}
		measured[e.worker][e.hour] = min(e.seconds, 3600)
	}
	gaps := false
	for worker, hours := range mined {
		if measured[worker] == nil {
			return YieldOthers
		}
		var seen int64
		for _, hour := range hours {
			seen += measured[worker][hour]
		}
		gaps = gaps || float64(seen) < wholly*3600*float64(len(hours))
	}
	if gaps {
		return YieldGaps
	}
	return ""
}
