package stratum

import "math"

// claims is everything that has a say in a session's difficulty, the strongest
// first (stratum.md 3.3).
type claims struct {
	port       Port    // the listener's profile: its floor beats every wish
	wishes     wishes  // of the password, or of the username
	least      float64 // of mining.configure (BIP310): a floor
	suggested  float64 // of mining.suggest_difficulty
	remembered float64 // what the worker had on such a device before it left
	device     device  // by the user agent
	hint       float64 // a suggestion that vardiff keeps above, until the miner falls silent
}

// choose returns the difficulty to start at, before the limits are applied, and
// whether vardiff must leave it alone.
func (c claims) choose(rules *Config) (start float64, fixed bool) {
	if c.wishes.fixed > 0 {
		return c.wishes.fixed, true
	}
	for _, d := range [...]float64{
		c.wishes.start,
		c.suggested,
		c.remembered / 2, // an easy start costs a few shares, a hard one minutes of silence
		c.port.Start,
		rules.StartDifficulty,
		c.device.difficulty,
	} {
		if d > 0 {
			return d, false
		}
	}
	return deviceOf("").difficulty, false
}

// limits returns the bounds of the difficulty, for as long as the session
// lives. A port's floor stands in for the operator's general one, so that a
// port for the smallest devices can go below it.
func (c claims) limits(rules *Config) limits {
	floor := rules.MinDifficulty
	if c.port.Floor > 0 {
		floor = c.port.Floor
	}
	ceiling := rules.MaxDifficulty
	if ceiling <= 0 {
		ceiling = math.Inf(1)
	}
	return limits{
		floor:   max(floor, c.device.floor, c.wishes.floor, c.least, c.hint),
		ceiling: max(ceiling, c.port.Floor),
		whole:   c.device.whole,
	}
}

// limits bound a session's difficulty.
type limits struct {
	floor, ceiling float64
	whole          bool // the device reads integers only: at least 1 and no fraction
}

// fit returns the difficulty nearest to d within the limits, a whole number
// from 4 upwards.
func (l limits) fit(d float64) float64 {
	d = min(max(d, l.floor), l.ceiling)
	if !l.whole && d < 4 {
		return d
	}
	rounded := math.Round(d)
	switch {
	case rounded > l.ceiling:
		rounded = math.Floor(d)
	case rounded < l.floor:
		rounded = math.Ceil(d)
	}
	return max(1, rounded)
}

// capped returns d, or less when the network's own difficulty is below it: a
// share target harder than the block target would hide blocks.
func capped(d, network float64) float64 {
	if d <= network {
		return d
	}
	if network >= 1 {
		return math.Floor(network)
	}
	return network
}

// twoDigits rounds to two significant digits.
func twoDigits(d float64) float64 {
	if !(d > 0) {
		return 0
	}
	exponent := math.Floor(math.Log10(d)) - 1
	if exponent < 0 { // a power of ten below 1 has no exact float64
		scale := math.Pow(10, -exponent)
		return math.Round(d*scale) / scale
	}
	scale := math.Pow(10, exponent)
	return math.Round(d/scale) * scale
}
