package minersim

import "time"

// Lines that several kinds of firmware have in common.
const (
	configure      = `{"id": 1, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}`
	authorize      = `{"id": 3, "method": "mining.authorize", "params": ["$user", "$password"]}`
	suggest        = `{"id": 4, "method": "mining.suggest_difficulty", "params": [1000]}`
	extranonce     = `{"id": 5, "method": "mining.extranonce.subscribe", "params": []}`
	submitFive     = `{"params": ["$user", "$job", "$en2", "$ntime", "$nonce"], "id": $id, "method": "mining.submit"}`
	submitSix      = `{"params": ["$user", "$job", "$en2", "$ntime", "$nonce", "$version"], "id": $id, "method": "mining.submit"}`
	submitSixFirst = `{"id": $id, "method": "mining.submit", "params": ["$user", "$job", "$en2", "$ntime", "$nonce", "$version"]}`
)

// Profiles returns every kind of miner there is.
func Profiles() []Profile {
	list := append(espMiners(), nerdMiners()...)
	list = append(list, cgminers()...)
	return append(list, others()...)
}

// espMiners returns the Bitaxe and its relatives: they send the handshake
// without waiting, forget extranonce2 with every job and submit the rolled
// bits as a difference.
func espMiners() []Profile {
	esp := Profile{
		Name: "ESP-Miner 2.15",
		Opening: []Step{
			{Line: configure},
			{Line: `{"id": 2, "method": "mining.subscribe", "params": ["bitaxe/BM1370/v2.15.0"]}`},
			{Line: authorize},
		},
		Authorized: []Step{{Line: suggest}, {Line: extranonce}},
		Submit:     submitSixFirst, SubmitID: 6,
		Extranonce: Restarting, Rolling: RollXor, Lag: 200 * time.Millisecond,
		CoinbaseLimit: 4096, MaxBranches: 32, JobMemory: 16,
		Silence: 180 * time.Second, Retry: 5 * time.Second, Attempts: 3,
	}

	old := esp
	old.Name = "ESP-Miner 2.4"
	old.Opening = []Step{
		{Line: `{"id": 1, "method": "mining.subscribe", "params": ["bitaxe/BM1366/v2.4.0"]}`},
		{Line: `{"id": 2, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}`},
		{Line: authorize},
		{Line: suggest},
	}
	old.Authorized, old.SubmitID, old.Truncate, old.JobMemory = nil, 5, true, 0

	// It authorises with the name of its first pool and submits with that of
	// its second one.
	fork := esp
	fork.Name, fork.Strangers = "ESP-Miner fork", 1

	probe := Profile{
		Name: "ESP-Miner probe",
		Opening: []Step{
			{Line: `{"id": 1, "method": "mining.subscribe", "params": ["bitaxe/BM1370/v2.15.0"]}`},
			{Line: `{"id": 2, "method": "mining.authorize", "params": ["$user", "$password"]}`, Within: 5 * time.Second},
		},
		LineLimit: 1023, Visit: OneRead, Retry: 30 * time.Second,
	}

	nerdQAxe := esp
	nerdQAxe.Name = "NerdQAxe++"
	nerdQAxe.Opening = []Step{
		{Line: `{"id": 1, "method": "mining.subscribe", "params": ["NerdQAxe++/BM1370/v1.0.34"]}`},
		{Line: `{"id": 2, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "ffffffff"}]}`},
		{Line: authorize},
		{Line: suggest},
		{Line: extranonce},
	}
	nerdQAxe.Authorized, nerdQAxe.Truncate, nerdQAxe.JobMemory = nil, true, 0
	nerdQAxe.LineLimit, nerdQAxe.NeedsMask = 16384, 0x1fffe000
	nerdQAxe.Retry, nerdQAxe.Attempts = 10*time.Second, 0

	return []Profile{esp, old, fork, probe, nerdQAxe}
}

// nerdMiners returns the ESP32 boards that hash by themselves: little memory,
// always the same nonces, and numbers without leading zeros.
func nerdMiners() []Profile {
	nerd := Profile{
		Name: "NerdMiner 1.8.3",
		Opening: []Step{
			{Line: `{"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/V1.8.3"]}`, Wait: NextLine, Within: 1200 * time.Millisecond},
			{Line: `{"params": ["$user", "$password"], "id": 2, "method": "mining.authorize"}`},
			{Line: `{"id": 3, "method": "mining.suggest_difficulty", "params": [0.00015]}`},
		},
		Chatter: `{"id": $id, "method": "mining.suggest_difficulty", "params": [0.00015]}`, ChatEvery: 30 * time.Second,
		Submit: `{"id":$id,"method":"mining.submit","params":["$user","$job","$en2","$ntime","$nonce"]}`, SubmitID: 4,
		ShortNonce: true, Extranonce: Standing, FirstNonce: 0xda54e700,
		Applies: AtOnce, LineLimit: 4096, NotifyLimit: 3400, CoinbaseLimit: 255,
		Silence: 120 * time.Second, Retry: 10 * time.Second,
	}

	old := nerd
	old.Name, old.Spaces = "NerdMiner 1.7.0", true
	old.Opening = []Step{
		{Line: `{"id": 1, "method": "mining.subscribe", "params": ["NerdMinerV2/V1.7.0"]}`, Wait: NextLine, Within: 1200 * time.Millisecond},
		nerd.Opening[1], nerd.Opening[2],
	}
	return []Profile{nerd, old}
}

// cgminers returns the family of cgminer: one question at a time, and one
// difficulty per job.
func cgminers() []Profile {
	avalon := Profile{
		Name: "Avalon (cgminer)",
		Opening: []Step{
			{Line: `{"id": 0, "method": "mining.configure", "params": [["version-rolling"], {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}]}`, Wait: NextLine, Within: time.Minute},
			{
				Line:  `{"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1"]}`,
				Later: `{"id": 1, "method": "mining.subscribe", "params": ["cgminer/4.11.1", "$sid"]}`, Wait: NextLine, Within: time.Minute,
			},
			{Line: `{"id": 2, "method": "mining.authorize", "params": ["$user", "$password"]}`, Wait: Answer, Within: time.Minute},
		},
		Submit: submitSix, SubmitID: 3,
		Rolling: RollOr, Lag: time.Second, Applies: Stacked,
		CoinbaseLimit: 6144, MaxBranches: 30, Silence: 90 * time.Second, Retry: 5 * time.Second, Keeps: 2 * time.Minute,
	}

	// Bitmain's branch knows no version rolling and asks for extranonces; an
	// answer that it does not expect ends the connection.
	s9 := avalon
	s9.Name = "Antminer S9 (bmminer)"
	s9.Opening = []Step{
		{Line: `{"id": 0, "method": "mining.subscribe", "params": ["bmminer/2.0.0/Antminer S9/13500"]}`, Wait: NextLine, Within: time.Minute},
		{Line: `{"id": 1, "method": "mining.extranonce.subscribe", "params": []}`, Wait: Answer, Within: 2 * time.Second},
		{Line: `{"id": 2, "method": "mining.authorize", "params": ["$user", "$password"]}`, Wait: Answer, Within: time.Minute},
	}
	s9.Submit, s9.Rolling, s9.RollTime = submitFive, NoRolling, true

	s19 := avalon
	s19.Name = "Antminer S19 (bmminer)"
	s19.Opening = []Step{
		{Line: `{"id": 1, "method": "mining.configure", "params": [["version-rolling", "minimum-difficulty", "subscribe-extranonce"], {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 16, "minimum-difficulty.value": 0}]}`, Wait: NextLine, Within: time.Minute},
		{Line: `{"id": 2, "method": "mining.subscribe", "params": ["Antminer S19/Wed Nov 02 2022"]}`, Wait: NextLine, Within: time.Minute},
		{Line: authorize, Wait: Answer, Within: time.Minute},
	}
	s19.SubmitID, s19.Rolling, s19.CoinbaseLimit = 4, RollFull, 755

	whatsMiner := avalon
	whatsMiner.Name = "WhatsMiner"
	whatsMiner.Opening = []Step{
		{Line: `{"id": 3587155, "method": "mining.subscribe", "params": ["whatsminer/v1.0", "68c53cbf"], "ttl": 2}`, Wait: NextLine, Within: time.Minute},
		{Line: `{"id": 3587156, "method": "mining.authorize", "params": ["$user", ""], "ttl": 2}`, Wait: Answer, Within: time.Minute},
	}
	whatsMiner.Submit = `{"params": ["$user", "$job", "$en2", "$ntime", "$nonce"], "id": $id, "method": "mining.submit", "ttl": 2}`
	whatsMiner.SubmitID, whatsMiner.Rolling, whatsMiner.CoinbaseLimit = 3587157, NoRolling, 6500

	return []Profile{avalon, s9, s19, whatsMiner}
}

// others returns the rest: Braiins, the classics for computers, and proxies.
func others() []Profile {
	bosminer := Profile{
		Name: "Braiins OS (bosminer)",
		Opening: []Step{
			{Line: `{"id":0,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000","version-rolling.min-bit-count":16}]}`},
			{Line: `{"id":1,"method":"mining.subscribe","params":["bosminer-plus-tuner 0.9.0-9ba42a2f",null,"pool.lan",3333]}`, Wait: Answer, Within: 5 * time.Second},
			{Line: `{"id":2,"method":"mining.authorize","params":["$user","$password"]}`, Wait: Answer, Within: 5 * time.Second},
		},
		Submit:   `{"id":$id,"method":"mining.submit","params":["$user","$job","$en2","$ntime","$nonce","$version"]}`,
		SubmitID: 3, Rolling: RollOr, RollTime: true, Lag: 300 * time.Millisecond,
		CoinbaseLimit: 2250, MaxBranches: 32, Silence: 120 * time.Second, Retry: 5 * time.Second,
	}

	prober := Profile{
		Name: "Braiins prober",
		Opening: []Step{
			{Line: `{"id":1,"method":"mining.subscribe","params":[]}`},
			{Line: `{"id":2,"method":"mining.authorize","params":["$user","$password"]}`, Within: 150 * time.Millisecond},
		},
		Visit: UntilWork, Retry: 20 * time.Second,
	}

	// pooler's cpuminer reads every field at its exact length and matches
	// answers by their order.
	cpuminer := Profile{
		Name: "cpuminer 2.5.1",
		Opening: []Step{
			{
				Line:  `{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1"]}`,
				Later: `{"id": 1, "method": "mining.subscribe", "params": ["cpuminer/2.5.1", "$sid"]}`, Wait: NextLine, Within: 30 * time.Second,
			},
			{Line: `{"id": 2, "method": "mining.authorize", "params": ["$user", "$password"]}`, Wait: Answer, Within: 30 * time.Second},
		},
		Submit: `{"method": "mining.submit", "params": ["$user", "$job", "$en2", "$ntime", "$nonce"], "id":4}`, SubmitID: 4, OneID: true,
		Silence: 120 * time.Second, Retry: 30 * time.Second,
	}

	bfgminer := Profile{
		Name: "BFGMiner 5.5",
		Opening: []Step{
			{Line: `{"id":null,"method":"mining.suggest_target","params":["00000000ffff0000000000000000000000000000000000000000000000000000"]}`},
			{Line: `{"id":0,"method":"mining.subscribe","params":["bfgminer/5.5.0"]}`, Wait: NextLine, Within: time.Minute},
			{Line: `{"id":"xnsub","method":"mining.extranonce.subscribe","params":[]}`},
			{Line: `{"id":"auth","method":"mining.authorize","params":["$user","$password"]}`, Wait: Answer, Within: time.Minute},
		},
		EachJob: `{"id":"txlist$job","method":"mining.get_transactions","params":["$job"]}`,
		Submit:  submitFive, SubmitID: 1, RollTime: true, Loose: true,
		Silence: 120 * time.Second, Retry: 30 * time.Second,
	}

	// A rental has many workers behind one connection, tells them apart in the
	// first byte of extranonce2, and pays them under names that the pool hears
	// of with the first share only.
	niceHash := Profile{
		Name: "NiceHash",
		Opening: []Step{
			{Line: `{"id":1,"method":"mining.subscribe","params":["NiceHash/1.0.0"]}`, Wait: NextLine, Within: 10 * time.Second},
			{Line: `{"id":2,"method":"mining.extranonce.subscribe","params":[]}`},
			{Line: `{"id":3,"method":"mining.authorize","params":["$user","$password"]}`, Each: true},
		},
		Names: 12, Strangers: 12,
		Submit: submitFive, SubmitID: 4, Lag: 500 * time.Millisecond,
		CoinbaseLimit: 500, Silence: 120 * time.Second, Retry: 5 * time.Second,
	}

	proxy := Profile{
		Name: "Stratum proxy",
		Opening: []Step{
			{Line: configure, Wait: NextLine, Within: 10 * time.Second},
			{Line: `{"id":2,"method":"mining.subscribe","params":["stratum-proxy/0.8.1"]}`, Wait: NextLine, Within: 10 * time.Second},
			{Line: authorize, Each: true},
		},
		Names:  60,
		Submit: submitSix, SubmitID: 4, Rolling: RollOr,
		Silence: 60 * time.Second, Retry: 5 * time.Second,
	}
	return []Profile{bosminer, prober, cpuminer, bfgminer, niceHash, proxy}
}
