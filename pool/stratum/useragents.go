package stratum

import "strings"

// device is what a user agent tells about a miner.
type device struct {
	name       string  // part of the user agent, lower case
	difficulty float64 // to start at, about a share every four seconds
	floor      float64 // never below
	whole      bool    // reads integers only
	room       int     // bytes of a coinbase; 0: the usual
}

// deviceOf returns the first device whose name is part of the user agent. The
// order matters: firmware likes to mention the software that it descends from.
func deviceOf(agent string) device {
	agent = strings.ToLower(agent)
	for _, d := range [...]device{
		// Rentals and their proxies: petahashes, and minimums of their own.
		{"nicehash", 524288, 524288, true, roomProxy},
		{"miningrigrentals", 524288, 524288, true, roomProxy},

		// ESP32 boards without an ASIC, and CPUs.
		{"nerdminer", 0.0005, 0, false, roomTiny},
		{"han_solominer", 0.0005, 0, false, roomTiny},
		{"nmminer", 0.0005, 0, false, roomTiny},
		{"sparkminer", 0.0005, 0, false, roomTiny},
		{"cpuminer", 0.02, 0, false, roomMost},

		// One to eight small ASICs.
		{"nerdqaxe", 2048, 0, true, roomMost},
		{"nerdoctaxe", 2048, 0, true, roomMost},
		{"bitaxe", 512, 0, true, roomMost},
		{"nerdaxe", 512, 0, true, roomMost},
		{"luckyminer", 512, 0, true, roomUsual},
		{"bfgminer", 64, 0, true, roomUsual},

		// Industrial machines.
		{"antminer s21", 65536, 0, true, roomLarge},
		{"whatsminer", 65536, 0, true, roomMost},
		{"antminer s19", 32768, 0, true, roomUsual},
		{"bosminer", 32768, 0, true, roomLarge},
		{"powerplay-bm", 32768, 0, true, roomUsual},
		{"xminer-", 32768, 0, true, roomMost},
		{"sm-miner", 32768, 0, true, roomUsual},
		{"bmminer", 8192, 0, true, roomUsual},

		// From USB stick to Avalon: start in the middle.
		{"cgminer", 1024, 0, true, roomUsual},
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
