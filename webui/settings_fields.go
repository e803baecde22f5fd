package webui

import (
	"strconv"

	"github.com/dmpool/dmpool/pool"
)

// field is one setting as people see it. A new setting of the pool is one more
// of these; page, review and API follow from the table.
type field struct {
	Key    string // its name in pool.Settings as JSON, in the form and in the audit log
	Label  string
	Hint   string // what it is, below the label
	Effect string // what a change of it does, shown before it is made
	at     func(*pool.Settings) any
	unit   unit

	// grave tells the changes that are shown once more and need the password:
	// those that move money from one to another or let more of it out.
	grave func(was, is int64) bool
}

// group is a card of the settings page.
type group struct {
	ID, Title, Intro string
	Fields           []field
}

func any64(_, _ int64) bool { return true }

func more(was, is int64) bool { return is > was }

// raised tells that a limit lets more through than before; 0 is no limit.
func raised(was, is int64) bool { return was != 0 && (is == 0 || is > was) }

const (
	nextJob    = "From the next job on, which is a matter of seconds. Blocks that are found keep the rules under which they were found."
	nextPayout = "From the next payout on. What waits for an approval stays as it is."
)

// settingsGroups is the table of all settings, in the order of the page.
func settingsGroups() []group {
	return []group{
		{ID: "sharing", Title: "How a block is shared", Fields: []field{
			{
				Key: "settlement", Label: "Settlement", Effect: nextJob, grave: any64, unit: settlements(),
				at: func(s *pool.Settings) any { return &s.Settlement },
			},
			{
				Key: "fee_bps", Label: "Pool fee", Hint: "Of the whole block, at most 10 %. It also pays the network fees of payouts.",
				Effect: nextJob + " The miners share the rest.", grave: any64, unit: fixed(2, "%"),
				at: func(s *pool.Settings) any { return &s.FeeBps },
			},
			{
				Key: "donation_bps", Label: "Donation", Hint: "Of the whole block, at most 10 %. It is set aside in the books and sent nowhere by itself.",
				Effect: nextJob + " The miners share the rest.", grave: any64, unit: fixed(2, "%"),
				at: func(s *pool.Settings) any { return &s.DonationBps },
			},
			{
				Key: "window_milli", Label: "Window", Hint: "How much of the last work a block pays, in blocks’ worth of work of the whole network. Long windows make income steady, short ones reward the newest work.",
				Effect: nextJob + " Some miners get more of the next block and others less.", grave: any64, unit: fixed(3, "blocks"),
				at: func(s *pool.Settings) any { return &s.WindowMilli },
			},
			{
				Key: "underfill", Label: "While the window fills", Effect: nextJob + " It matters only while the pool has done less work than the window holds.", grave: any64,
				unit: oneOf(
					option{"scale", "Pay the whole block", "The miners who are there share all of it. Right for a home pool."},
					option{"hold", "Pay for the part that is filled", "The rest goes to the reserve, so that the first hours are not worth more than later ones."}),
				at: func(s *pool.Settings) any { return &s.Underfill },
			},
			{
				Key: "min_output_sat", Label: "Smallest output of a block", Hint: "Only where blocks pay miners directly: less than this is owed instead. Small outputs cost their owners much of their worth to spend.",
				Effect: nextJob, unit: sats(),
				at: func(s *pool.Settings) any { return &s.MinOutputSat },
			},
		}},
		{ID: "paying", Title: "Payouts", Fields: []field{
			{
				Key: "min_payout_sat", Label: "Minimum payout", Hint: "Less than this stays owed. An account can have a higher minimum of its own.",
				Effect: nextPayout, unit: sats(),
				at: func(s *pool.Settings) any { return &s.MinPayoutSat },
			},
			{
				Key: "payout_every_secs", Label: "Prepare a payout every", Hint: "For instance 24 h or 7 days; 0 s prepares none by itself. Preparing sends nothing.",
				Effect: "The next one is prepared after this time.", unit: interval(),
				at: func(s *pool.Settings) any { return &s.PayoutEvery },
			},
			{
				Key: "payout_fee_rate", Label: "Network fee rate", Hint: "Leave it empty to take what the node estimates for six blocks.",
				Effect: nextPayout, unit: decimals("sat/vB"),
				at: func(s *pool.Settings) any { return &s.PayoutFeeRate },
			},
			{
				Key: "payout_fee_policy", Label: "Who bears the network fee", Effect: nextPayout, grave: any64,
				unit: oneOf(
					option{"pool", "The pool", "Miners get what they are owed to the last satoshi. The fee comes out of what the pool earned; without a pool fee the wallet runs short by it."},
					option{"miners", "The miners of the payout", "Each bears the same number of satoshis, since each output weighs about the same. The approval shows it."}),
				at: func(s *pool.Settings) any { return &s.PayoutFeePolicy },
			},
		}},
		{ID: "limits", Title: "Limits of payouts", Intro: "Checked when a payout is prepared, when it is approved and before it is signed. A mistake, or a stranger at your desk, can cost no more than these.", Fields: []field{
			{
				Key: "max_payout_sat", Label: "Most that one payout sends", Effect: nextPayout, grave: raised, unit: sats(),
				at: func(s *pool.Settings) any { return &s.MaxPayoutSat },
			},
			{
				Key: "max_24h_sat", Label: "Most within 24 hours", Effect: nextPayout, grave: raised, unit: sats(),
				at: func(s *pool.Settings) any { return &s.Max24hSat },
			},
			{
				Key: "max_payout_items", Label: "Most miners in one payout", Effect: nextPayout, grave: raised, unit: whole(""),
				at: func(s *pool.Settings) any { return &s.MaxPayoutItems },
			},
			{
				Key: "max_fee_sat", Label: "Highest network fee of a payout", Hint: "This much is always allowed …", Effect: nextPayout, grave: raised, unit: sats(),
				at: func(s *pool.Settings) any { return &s.MaxFeeSat },
			},
			{
				Key: "max_fee_bps", Label: "… or this part of its total", Hint: "… and more than that only if it is at most this part.", Effect: nextPayout, grave: raised, unit: fixed(2, "%"),
				at: func(s *pool.Settings) any { return &s.MaxFeeBps },
			},
			{
				Key: "second_person_above_sat", Label: "Two people approve above", Hint: "0 asks nobody twice. With only one person on the page “People”, a payout above it cannot go out.",
				Effect: "At once, also for what waits for an approval.", grave: raised, unit: sats(),
				at: func(s *pool.Settings) any { return &s.SecondPersonAboveSat },
			},
			{
				Key: "auto_approve_below_sat", Label: "Nobody has to approve below", Hint: "0 leaves every payout to you. With more, payouts below it leave without anybody looking, as long as the wallet opens by itself.",
				Effect: "At once, also for what waits for an approval. Whoever gets into this box can then send this much without your password.", grave: more, unit: sats(),
				at: func(s *pool.Settings) any { return &s.AutoApproveBelowSat },
			},
			{
				Key: "auto_approve_daily_sat", Label: "… and this much within 24 hours", Hint: "What goes out without an approval, all payouts together.",
				Effect: "At once, also for what waits for an approval.", grave: more, unit: sats(),
				at: func(s *pool.Settings) any { return &s.AutoApproveDailySat },
			},
		}},
		{ID: "miners", Title: "Miners’ connections", Intro: "These fit most pools as they are.", Fields: []field{
			{
				Key: "start_difficulty", Label: "First difficulty", Hint: "0 chooses by the kind of miner. After some shares the pool finds the right one by itself.",
				Effect: "For miners that connect from now on.", unit: roughly(""),
				at: func(s *pool.Settings) any { return &s.StartDifficulty },
			},
			{
				Key: "min_difficulty", Label: "Lowest difficulty", Effect: "At the next adjustment of each miner.", unit: roughly(""),
				at: func(s *pool.Settings) any { return &s.MinDifficulty },
			},
			{
				Key: "max_difficulty", Label: "Highest difficulty", Hint: "0 sets no limit.", Effect: "At the next adjustment of each miner.", unit: roughly(""),
				at: func(s *pool.Settings) any { return &s.MaxDifficulty },
			},
			{
				Key: "small_port", Label: "Port for the smallest devices", Hint: "For NerdMiner and the like. 0 opens none.", Effect: "Within seconds; miners on the old port have to connect anew.", unit: port(),
				at: func(s *pool.Settings) any { return &s.SmallPort },
			},
			{
				Key: "high_port", Label: "Port for rentals and proxies", Hint: "Begins at a difficulty of 524,288. 0 opens none.", Effect: "Within seconds; miners on the old port have to connect anew.", unit: port(),
				at: func(s *pool.Settings) any { return &s.HighPort },
			},
			{
				Key: "tls_port", Label: "Port with TLS", Hint: "0 opens none.", Effect: "Within seconds; miners on the old port have to connect anew.", unit: port(),
				at: func(s *pool.Settings) any { return &s.TLSPort },
			},
			{
				Key: "max_sessions", Label: "Connections at a time", Effect: "At once. Nobody who is connected is thrown out.", unit: whole(""),
				at: func(s *pool.Settings) any { return &s.MaxSessions },
			},
			{
				Key: "max_per_address", Label: "Connections from one public address", Hint: "Addresses of the home network are not counted.", Effect: "At once. Nobody who is connected is thrown out.", unit: whole(""),
				at: func(s *pool.Settings) any { return &s.MaxPerAddress },
			},
			{
				Key: "submit_rate", Label: "Shares per second of one worker", Hint: "What comes faster for long waits.", Effect: "At once.", unit: roughly(""),
				at: func(s *pool.Settings) any { return &s.SubmitRate },
			},
			{
				Key: "workless_secs", Label: "End a connection without shares after", Hint: "0 s never does.", Effect: "At once.", unit: interval(),
				at: func(s *pool.Settings) any { return &s.WorklessSecs },
			},
			{
				Key: "trusted_proxies", Label: "Proxies in front of the miners’ port", Hint: "Networks such as 192.168.1.5/32, separated by commas, whose connections begin with a PROXY header. Empty for none.", Effect: "For new connections.", unit: plainText(),
				at: func(s *pool.Settings) any { return &s.TrustedProxies },
			},
		}},
		{ID: "api", Title: "Programs that ask this pool", Intro: "Home Assistant, screens of miners, statistics: they all may read what everybody in your network can read, and nothing else.", Fields: []field{
			{
				Key: "compatible_api", Label: "Answers in the shapes of other pools", Hint: "Programs made for public-pool and ckpool then work with this pool.", Effect: "At once.",
				unit: yesNo("Yes", "No"),
				at:   func(s *pool.Settings) any { return &s.CompatibleAPI },
			},
			{
				Key: "public_api_cors", Label: "Other web sites may ask", Hint: "Lets scripts on any web page that somebody in your network opens read the pool’s public figures, and those of a miner whose address they know. Never those of the operator.", Effect: "At once.",
				unit: yesNo("Yes, any of them (CORS)", "No"),
				at:   func(s *pool.Settings) any { return &s.PublicAPICORS },
			},
		}},
		{ID: "names", Title: "The pool", Fields: []field{
			{
				Key: "name", Label: "Name", Hint: "On the pages, and in the blocks that the pool finds. Up to 32 letters.",
				Effect: nextJob, unit: plainText(),
				at: func(s *pool.Settings) any { return &s.Name },
			},
		}},
	}
}

// settlements says honestly what each way of paying means.
func settlements() unit {
	return oneOf(
		option{"ledger", "Through the pool’s books", "Every block pays the pool’s wallet; the books say who is owed what, and payouts send it. Miners with small amounts are paid when they have collected enough. Until then the pool holds their money: its wallet and its books must be kept safe."},
		option{"direct", "By the block itself", "Every block pays the miners in its coinbase, by their latest work, as far as there is room for outputs. What is too small goes to the pool’s wallet and is owed as above. A miner whose firmware holds only a small coinbase makes the room small for all."},
		option{"solo", "To whoever finds it", "Every miner’s work pays the address in its own user name, less the fee. Other miners get nothing of it, however long they worked. Right for one’s own machines."},
	)
}

func port() unit {
	u := whole("")
	u.write = func(value any) string { return strconv.Itoa(*value.(*int)) } // never grouped
	return u
}
