package webui

import (
	"strconv"

	"github.com/dmpool/dmpool/pool"
)

// field is one setting as people see it. A new setting of the pool is one more
// of these, with settings.label.KEY and perhaps settings.hint.KEY in the catalogue;
// page, review and API follow from the table.
type field struct {
	Key    string // its name in pool.Settings as JSON, in the form, the audit log and the catalogue
	Effect string // names what a change of it does, shown before it is made
	at     func(*pool.Settings) any
	unit   unit

	// grave tells the changes that are shown once more and need the password:
	// those that move money from one to another, let more of it out or keep more of
	// it in, and those that let more people see it.
	grave func(was, is int64) bool

	Opens bool // what is grave about it is who gets in or sees something
}

// group is a card of the settings page: settings.group.ID, settings.intro.ID.
type group struct {
	ID     string
	Fields []field
}

func any64(_, _ int64) bool { return true }

func more(was, is int64) bool { return is > was }

func less(was, is int64) bool { return is < was }

// raised tells that a limit lets more through than before; 0 is no limit.
func raised(was, is int64) bool { return was != 0 && (is == 0 || is > was) }

// settingsGroups is the table of all settings, in the order of the page.
func settingsGroups() []group {
	return []group{
		{ID: "sharing", Fields: []field{
			{
				Key: "settlement", Effect: "job", grave: any64, unit: oneOf("ledger", "direct", "solo"),
				at: func(s *pool.Settings) any { return &s.Settlement },
			},
			{
				Key:    "fee_bps",
				Effect: "rest", grave: any64, unit: fixed(2, "%"),
				at: func(s *pool.Settings) any { return &s.FeeBps },
			},
			{
				Key:    "donation_bps",
				Effect: "rest", grave: any64, unit: fixed(2, "%"),
				at: func(s *pool.Settings) any { return &s.DonationBps },
			},
			{
				Key:    "window_milli",
				Effect: "window", grave: any64, unit: fixed(3, "blocks"),
				at: func(s *pool.Settings) any { return &s.WindowMilli },
			},
			{
				Key: "underfill", Effect: "filling", grave: any64,
				unit: oneOf(
					"scale",
					"hold"),
				at: func(s *pool.Settings) any { return &s.Underfill },
			},
			{
				Key:    "min_output_sat",
				Effect: "job", grave: more, unit: sats(), // what a block does not pay itself, the wallet holds
				at: func(s *pool.Settings) any { return &s.MinOutputSat },
			},
		}},
		{ID: "paying", Fields: []field{
			{
				Key:    "min_payout_sat",
				Effect: "payout", grave: more, unit: sats(), // what is below it stays in the wallet
				at: func(s *pool.Settings) any { return &s.MinPayoutSat },
			},
			{
				Key:    "payout_every_secs",
				Effect: "prepared", unit: interval(),
				at: func(s *pool.Settings) any { return &s.PayoutEvery },
			},
			{
				Key:    "payout_fee_rate",
				Effect: "payout", unit: decimals("sat/vB"),
				at: func(s *pool.Settings) any { return &s.PayoutFeeRate },
			},
			{
				Key: "payout_fee_policy", Effect: "payout", grave: any64,
				unit: oneOf(
					"pool",
					"miners"),
				at: func(s *pool.Settings) any { return &s.PayoutFeePolicy },
			},
		}},
		{ID: "limits", Fields: []field{
			{
				Key: "max_payout_sat", Effect: "payout", grave: raised, unit: sats(),
				at: func(s *pool.Settings) any { return &s.MaxPayoutSat },
			},
			{
				Key: "max_24h_sat", Effect: "payout", grave: raised, unit: sats(),
				at: func(s *pool.Settings) any { return &s.Max24hSat },
			},
			{
				Key: "max_payout_items", Effect: "payout", grave: raised, unit: whole(""),
				at: func(s *pool.Settings) any { return &s.MaxPayoutItems },
			},
			{
				Key: "max_fee_sat", Effect: "payout", grave: raised, unit: sats(),
				at: func(s *pool.Settings) any { return &s.MaxFeeSat },
			},
			{
				Key: "max_fee_bps", Effect: "payout", grave: raised, unit: fixed(2, "%"),
				at: func(s *pool.Settings) any { return &s.MaxFeeBps },
			},
			{
				Key: "second_factor_to_send", Effect: "sending", grave: less, unit: yesNo(),
				at: func(s *pool.Settings) any { return &s.SecondFactorToSend },
			},
			{
				Key:    "second_person_above_sat",
				Effect: "waiting", grave: raised, unit: sats(),
				at: func(s *pool.Settings) any { return &s.SecondPersonAboveSat },
			},
			{
				Key:    "auto_approve_below_sat",
				Effect: "unattended", grave: more, unit: sats(),
				at: func(s *pool.Settings) any { return &s.AutoApproveBelowSat },
			},
			{
				Key:    "auto_approve_daily_sat",
				Effect: "waiting", grave: more, unit: sats(),
				at: func(s *pool.Settings) any { return &s.AutoApproveDailySat },
			},
		}},
		{ID: "miners", Fields: []field{
			{
				Key:    "start_difficulty",
				Effect: "new_miners", unit: roughly(""),
				at: func(s *pool.Settings) any { return &s.StartDifficulty },
			},
			{
				Key: "min_difficulty", Effect: "adjustment", unit: roughly(""),
				at: func(s *pool.Settings) any { return &s.MinDifficulty },
			},
			{
				Key: "max_difficulty", Effect: "adjustment", unit: roughly(""),
				at: func(s *pool.Settings) any { return &s.MaxDifficulty },
			},
			{
				Key: "small_port", Effect: "port", unit: port(),
				at: func(s *pool.Settings) any { return &s.SmallPort },
			},
			{
				Key: "high_port", Effect: "port", unit: port(),
				at: func(s *pool.Settings) any { return &s.HighPort },
			},
			{
				Key: "tls_port", Effect: "port", unit: port(),
				at: func(s *pool.Settings) any { return &s.TLSPort },
			},
			{
				Key: "max_sessions", Effect: "sessions", unit: whole(""),
				at: func(s *pool.Settings) any { return &s.MaxSessions },
			},
			{
				Key: "max_per_address", Effect: "sessions", unit: whole(""),
				at: func(s *pool.Settings) any { return &s.MaxPerAddress },
			},
			{
				Key: "submit_rate", Effect: "now", unit: roughly(""),
				at: func(s *pool.Settings) any { return &s.SubmitRate },
			},
			{
				Key: "workless_secs", Effect: "now", unit: interval(),
				at: func(s *pool.Settings) any { return &s.WorklessSecs },
			},
			{
				Key: "trusted_proxies", Effect: "connections", unit: plainText(),
				at: func(s *pool.Settings) any { return &s.TrustedProxies },
			},
		}},
		{ID: "access", Fields: []field{
			{
				Key: "admin_from", Effect: "now", grave: any64, Opens: true, unit: oneOf(pool.FromPrivate, pool.FromAnywhere),
				at: func(s *pool.Settings) any { return &s.AdminFrom },
			},
			{
				Key: "observer_pages", Effect: "strangers", grave: more, Opens: true, unit: yesNo(),
				at: func(s *pool.Settings) any { return &s.ObserverPages },
			},
		}},
		{ID: "api", Fields: []field{
			{
				Key: "compatible_api", Effect: "strangers", grave: more, Opens: true,
				unit: yesNo(),
				at:   func(s *pool.Settings) any { return &s.CompatibleAPI },
			},
			{
				Key: "public_api_cors", Effect: "sites", grave: more, Opens: true,
				unit: yesNo(),
				at:   func(s *pool.Settings) any { return &s.PublicAPICORS },
			},
		}},
		{ID: "monitors", Fields: []field{
			{
				Key: "metrics", Effect: "now", grave: any64, Opens: true,
				unit: oneOf(pool.MetricsOff, pool.MetricsToken, pool.MetricsLocal),
				at:   func(s *pool.Settings) any { return &s.Metrics },
			},
		}},
		{ID: "names", Fields: []field{
			{
				Key:    "name",
				Effect: "job", unit: plainText(),
				at: func(s *pool.Settings) any { return &s.Name },
			},
			{
				Key: "time_zone", Effect: "now", unit: plainText(),
				at: func(s *pool.Settings) any { return &s.TimeZone },
			},
			{
				Key: "amounts", Effect: "now", unit: oneOf(pool.AmountsMixed, pool.AmountsSats, pool.AmountsBTC),
				at: func(s *pool.Settings) any { return &s.Amounts },
			},
			{
				Key: "explorer_url", Effect: "now", unit: plainText(),
				at: func(s *pool.Settings) any { return &s.ExplorerURL },
			},
		}},
	}
}

func port() unit {
	u := whole("")
	u.write = func(value any) string { return strconv.Itoa(*value.(*int)) } // never grouped
	return u
}
