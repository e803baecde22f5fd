package pool

import "fmt"

// Risk is a setting that is allowed and may still not be what its owner wants.
type Risk struct {
	Setting string // its name as JSON
	Message string // what it means, a sentence
	Advice  string // what to do, a sentence
}

// Risks lists what to think about once more. What would lose money for certain is
// no risk: Validate refuses it.
func (s Settings) Risks() []Risk {
	var risks []Risk
	warn := func(doubtful bool, setting, advice, format string, args ...any) {
		if doubtful {
			risks = append(risks, Risk{Setting: setting, Message: fmt.Sprintf(format, args...), Advice: advice})
		}
	}
	warn(s.FeeBps > 300, "fee_bps", "Most pools take 1 to 2 %.",
		"The pool keeps %d.%02d %% of every block.", s.FeeBps/100, s.FeeBps%100)
	warn(s.DonationBps > 500, "donation_bps", "Lower it unless all who mine here know and want it.",
		"%d.%02d %% of every block is set aside as a donation.", s.DonationBps/100, s.DonationBps%100)
	warn(s.Settlement != "solo" && s.WindowMilli < 1000, "window_milli", "Two blocks’ worth is usual.",
		"The window holds less than one block’s worth of work, so income jumps, and who comes just before a block gets much of it.")
	warn(s.AutoApproveBelowSat > 0, "auto_approve_below_sat", "Set it to 0 if nobody is hurt by a click for each payout.",
		"Payouts below %d sat leave without anybody looking; whoever gets into this box can send that much.", s.AutoApproveBelowSat)
	warn(s.MinDifficulty > 1, "min_difficulty", "Lower it if the smallest devices are to count.",
		"At difficulty %g a NerdMiner, with 78 kH/s, sends one share in about %.0f hours.", s.MinDifficulty, s.MinDifficulty*(1<<32)/78e3/3600)
	warn(s.AdminFrom == FromAnywhere, "admin_from", "Reach your box over a VPN instead, or at least over HTTPS, and give everybody a second factor.",
		"The whole internet may try passwords at this box, as far as the router lets it in.")
	return risks
}
