package pool

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/btcsuite/btcd/chaincfg/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"

	"github.com/dmpool/dmpool/pool/ledger"
	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/work"
)

// plan is how a block of a job is settled. It is fixed with the job and stays with
// it as the note of its layout, over a restart too: a change of the settings
// between job and solution changes nothing, and what a coinbase pays is booked as
// it was meant.
type plan struct {
	Terms      ledger.Terms `json:"terms"`
	PoolScript []byte       `json:"pool_script,omitempty"`
	Dues       []ledger.Due `json:"dues,omitempty"` // who is due what, where the coinbase pays miners
}

// planOf reads the plan of a job.
func (p *Pool) planOf(job *work.Job) plan {
	var pl plan
	err := json.Unmarshal(job.Layout.Note, &pl)
	if err == nil {
		return pl
	}
	if len(job.Layout.Note) > 0 {
		p.Logger.Error("Plan of a job cannot be read", "job", job.ID, "err", err)
	}
	// A job from before a restart, of a version that had no plans: it pays the pool.
	pl = plan{Terms: p.settings.Load().Terms()}
	pl.Terms.Settlement = ledger.SettlementLedger
	return pl
}

// order is what goes to the miners: a job for everybody, or one for each that is
// made of it.
type order struct {
	job        *work.Job
	layOut     stratum.LayOut // nil: the job is for everybody
	narrow     *work.Job      // for devices that cannot hold the job's coinbase: it pays the pool; nil: all can
	settlement string         // of a block that is found on the job
	fallback   string         // why that is not the one of the settings, or not for everybody
	alarm      bool           // somebody should look into it
	interim    bool           // the one of the settings takes a little longer and comes next
}

// makeOrder makes the work for a template, whose rest, or all, the script of the
// pool's wallet gets. The first one on a new tip waits for nobody's answer.
func (p *Pool) makeOrder(ctx context.Context, t *work.Template, settings Settings, script []byte, newTip bool) (order, error) {
	base, err := p.makeJob(ctx, t, settings, script)
	if err != nil {
		return order{}, err
	}
	switch settings.Settlement {
	case ledger.SettlementSolo:
		return order{job: base, layOut: p.paySolo(settings, script), settlement: ledger.SettlementSolo}, nil
	case ledger.SettlementDirect:
		return p.payDirect(ctx, base, settings, script, newTip), nil
	default:
		return order{job: base, settlement: ledger.SettlementLedger}, nil
	}
}

// makeJob makes the job whose coinbase pays the pool's wallet alone, and has the
// independent witness decode it.
func (p *Pool) makeJob(ctx context.Context, t *work.Template, s Settings, script []byte) (*work.Job, error) {
	pl := plan{Terms: s.Terms()}
	pl.Terms.Settlement = ledger.SettlementLedger
	note, err := json.Marshal(pl)
	if err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	layout := work.Layout{
		Tag:     coinbaseTag(s.Name),
		Outputs: []work.Output{{Script: script, Value: t.CoinbaseValue}},
		Note:    note,
	}
	job, err := work.NewJob(t, layout, p.server.NextJobID(), max(t.CurTime, t.MinTime))
	if err != nil {
		return nil, fmt.Errorf("make job: %w", err)
	}
	if err := work.Witness(job, t, layout); err != nil {
		return nil, fmt.Errorf("witness job: %w", err)
	}
	if p.bitsDependOnTime() {
		p.boundTime(ctx, job)
	}
	return job, nil
}

// payMiners makes, of the job that pays the pool, the one whose coinbase pays
// miners as planned.
func (p *Pool) payMiners(base *work.Job, id uint32, pl plan, outputs []work.Output) (*work.Job, error) {
	note, err := json.Marshal(pl)
	if err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	layout := work.Layout{Tag: base.Layout.Tag, Outputs: outputs, Note: note}
	job, err := base.With(id, layout)
	if err != nil {
		return nil, err
	}
	if err := work.WitnessLayout(job, base, layout); err != nil {
		return nil, err
	}
	if err := witnessPayees(job, pl, p.Network); err != nil {
		return nil, fmt.Errorf("witness payees: %w", err)
	}
	return job, nil
}

// coinbaseOutputs are the outputs that [ledger.Direct] chose, and the pool's last.
func coinbaseOutputs(paid []ledger.Credit, scripts map[int64][]byte, pool []byte, rest int64) []work.Output {
	outputs := make([]work.Output, 0, len(paid)+1)
	for _, c := range paid {
		outputs = append(outputs, work.Output{Script: scripts[c.Account], Value: c.Amount})
	}
	if rest > 0 || len(outputs) == 0 {
		outputs = append(outputs, work.Output{Script: pool, Value: rest})
	}
	return outputs
}

// witnessPayees reads from a job's coinbase which addresses it pays, the way a
// miner's firmware does that looks for its own, and compares that with the plan:
// everybody in it must be due exactly as much, the pool must get the rest.
func witnessPayees(job *work.Job, pl plan, network string) error {
	params, ok := ChainParams(network)
	if !ok {
		return fmt.Errorf("network %q is not known", network)
	}
	due := make(map[string]int64, len(pl.Dues))
	for _, d := range pl.Dues {
		due[d.Address] = d.Amount
	}
	var coinbase wire.MsgTx
	raw := bytes.Join([][]byte{job.Coinbase1, make([]byte, work.ExtranonceSize), job.Coinbase2}, nil)
	if err := coinbase.DeserializeNoWitness(bytes.NewReader(raw)); err != nil {
		return err
	}
	for i, out := range coinbase.TxOut {
		if out.Value == 0 || bytes.Equal(out.PkScript, pl.PoolScript) {
			continue
		}
		address := payee(out.PkScript, params)
		amount, ok := due[address]
		if !ok || amount != out.Value {
			return fmt.Errorf("output %d pays %d sat to %q, who is due %d", i, out.Value, address, amount)
		}
		delete(due, address) // nobody is paid twice
	}
	return nil
}

// payee returns the address that a script pays, "" if it pays none.
func payee(script []byte, params *chaincfg.Params) string {
	_, list, _, err := txscript.ExtractPkScriptAddrs(script, params)
	if err != nil || len(list) != 1 {
		return ""
	}
	return list[0].EncodeAddress()
}
