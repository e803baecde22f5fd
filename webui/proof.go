package webui

// proofField fills the part "proof": the field by which an operator proves that it
// is still them.
type proofField struct {
	ID    string
	Label string // key of its text
	Wrong bool   // what came in it was
	By    string // id of what says so
}

// Proof is the field of a form that site.proves reads: one for the password, and
// for a code of whoever has a second factor. Browsers are told of the password in
// either case, since that is what they keep.
func (p *page) Proof(id string, wrong bool, by string) proofField {
	return proofField{id, "part_proof." + p.proof(), wrong, by}
}

// Password is the field of a form that site.provesPassword reads, which takes no
// code; label ends the key of its text.
func (*page) Password(id string, wrong bool, by, label string) proofField {
	return proofField{id, "part_proof." + label, wrong, by}
}

// ProofWrong and ProofAgain are keys: what was wrong, and how to go on.
func (p *page) ProofWrong() string { return "part_proof.wrong." + p.proof() }
func (p *page) ProofAgain() string { return "part_proof.retype." + p.proof() }

// proof is what the operator of the page can prove to be it with.
func (p *page) proof() string {
	if p.Factor.On() {
		return "either"
	}
	return "again"
}
