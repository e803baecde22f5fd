package stratum

import "strings"

// device is what a user agent tells about a miner.
type device struct {
	name       string  // part of the user agent, lower case
	difficulty float64 // to start at, about a share every four seconds
	floor      float64 // never below
	whole      bool    // reads integers only
}

// deviceOf returns the first device whose name is part of the user agent. The
// order matters: firmware likes to mention the software that it descends from.
func deviceOf(agent string) device {
	agent = strings.ToLower(agent)
	for _, d := range [...]device{
		// Rentals and their proxies: petahashes, and minimums of their own.
		{"nicehash", 524288, 524288, true},
		{"miningrigrentals", 524288, 524288, true},

		// ESP32 boards without an ASIC, and CPUs.
		{"nerdminer", 0.0005, 0, false},
		{"han_solominer", 0.0005, 0, false},
		{"nmminer", 0.0005, 0, false},
		{"sparkminer", 0.0005, 0, false},
		{"cpuminer", 0.02, 0, false},

		// One to eight small ASICs.
		{"nerdqaxe", 2048, 0, true},
		{"nerdoctaxe", 2048, 0, true},
		{"bitaxe", 512, 0, true},
		{"nerdaxe", 512, 0, true},
		{"luckyminer", 512, 0, true},
		{"bfgminer", 64, 0, true},

		// Industrial machines.
		{"antminer s21", 65536, 0, true},
		{"whatsminer", 65536, 0, true},
		{"antminer s19", 32768, 0, true},
		{"bosminer", 32768, 0, true},
		{"powerplay-bm", 32768, 0, true},
		{"xminer-", 32768, 0, true},
		{"sm-miner", 32768, 0, true},
		{"bmminer", 8192, 0, true},

		// From USB stick to Avalon: start in the middle.
		{"cgminer", 1024, 0, true},
	} {
		if strings.Contains(agent, d.name) {
			return d
		}
	}
	// Too much for a small one for a few minutes, a flood from a large one for
	// about a second.
	return device{difficulty: 1024}
}

// maxAgent bounds the user agent that is kept, in bytes.
const maxAgent = 128

// cleanAgent returns a user agent that is safe to log and to show: printable
// ASCII of bounded length.
func cleanAgent(agent string) string {
	agent = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, agent)
	return agent[:min(len(agent), maxAgent)]
}
