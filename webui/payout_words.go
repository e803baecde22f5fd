package webui

// Saying names the sentence about the state of a payout, payout.says.NAME.
func (v payoutView) Saying() string {
	switch {
	case v.Can.Import:
		return "import"
	case v.State == "approved" && v.Can.Export:
		return "export"
	case v.State == "broadcast" && v.Can.Approve:
		return "fee_waits"
	case v.State == "broadcast" && v.Problem != "":
		return "stuck"
	case v.State == "confirmed" && v.Settles == 0:
		return "confirming"
	case v.State == "cancelled" && v.TakenBack() && !v.Sweep():
		return "taken_back"
	}
	if v.Sweep() {
		switch v.State {
		case "failed", "cancelled", "expired":
			return "sweep_over"
		}
	}
	switch v.State {
	case "draft", "pending", "approved", "signed", "broadcast", "confirmed", "settled", "cancelling", "failed", "cancelled", "expired":
		return v.State
	}
	return "other"
}

// wrongField is what has to be typed again, and its place on the page.
type wrongField struct{ Kind, Field string }

// WrongField is nil when nothing is wrong.
func (v payoutView) WrongField() *wrongField {
	switch v.Wrong {
	case "":
	case "total", "password", "file":
		return &wrongField{v.Wrong, v.Wrong}
	default: // the password of an action, or of a file that came back
		return &wrongField{"action", v.Wrong + "-password"}
	}
	return nil
}
