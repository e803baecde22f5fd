package work

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// Jobs is a list of jobs that can outlive the process: as JSON it holds all that
// is needed to judge their shares and to build their blocks. What jobs have in
// common is written once: templates, which share most of their transactions, and
// whatever makes of a job its copies under other numbers, see [Job.WithID].
type Jobs []*Job

// keptJobs is the JSON form of Jobs.
type keptJobs struct {
	Txs       []Tx           // of all templates, each once
	Templates []keptTemplate //
	Jobs      []keptJob      //
	Order     []jobNumber    // the jobs themselves
}

// keptTemplate is a template whose transactions are numbers in keptJobs.Txs.
type keptTemplate struct {
	Template
	Txs []int
}

// keptJob is a job without its template, which is a number in
// keptJobs.Templates.
type keptJob struct {
	Job
	From int
}

// jobNumber is what a job has for itself; the rest is the job Of.
type jobNumber struct {
	ID, Time uint32
	Of       int
}

// kin is what the copies of a job have in common.
type kin struct {
	template         *Template
	prefix, suffix   string // of the coinbase, without the number
	note             string // of the layout
	minTime, maxTime uint32
}

// MarshalJSON implements [json.Marshaler].
func (list Jobs) MarshalJSON() ([]byte, error) {
	var kept keptJobs
	txs := make(map[chainhash.Hash]int)
	templates := make(map[*Template]int)
	jobs := make(map[kin]int)
	for _, j := range list {
		k := kin{j.template, string(j.Coinbase1[:len(j.Coinbase1)-counterSize]), string(j.Coinbase2), string(j.Layout.Note), j.MinTime, j.MaxTime}
		of, known := jobs[k]
		if !known {
			from, known := templates[j.template]
			if !known {
				from = len(kept.Templates)
				templates[j.template] = from
				kept.Templates = append(kept.Templates, kept.template(j.template, txs))
			}
			of = len(kept.Jobs)
			jobs[k] = of
			kept.Jobs = append(kept.Jobs, keptJob{*j, from})
		}
		kept.Order = append(kept.Order, jobNumber{j.ID, j.Time, of})
	}
	return json.Marshal(kept)
}

func (kept *keptJobs) template(t *Template, known map[chainhash.Hash]int) keptTemplate {
	k := keptTemplate{Template: *t, Txs: make([]int, len(t.Txs))}
	for i := range t.Txs {
		at, ok := known[t.Txs[i].WTxID]
		if !ok {
			at = len(kept.Txs)
			known[t.Txs[i].WTxID] = at
			kept.Txs = append(kept.Txs, t.Txs[i])
		}
		k.Txs[i] = at
	}
	return k
}

// UnmarshalJSON implements [json.Unmarshaler]. It refuses transactions that are
// not those that the jobs' headers commit to: a block of such a job would be
// worth nothing.
func (list *Jobs) UnmarshalJSON(text []byte) error {
	var kept keptJobs
	if err := json.Unmarshal(text, &kept); err != nil {
		return fmt.Errorf("read kept jobs: %w", err)
	}
	for i := range kept.Txs {
		if tx := &kept.Txs[i]; doubleHash(tx.Raw) != tx.WTxID {
			return fmt.Errorf("kept transaction %s has other bytes", tx.TxID)
		}
	}
	templates := make([]*Template, len(kept.Templates))
	for i := range kept.Templates {
		t, err := kept.Templates[i].restore(kept.Txs)
		if err != nil {
			return fmt.Errorf("kept template %d: %w", i, err)
		}
		templates[i] = t
	}
	for i := range kept.Jobs {
		if err := kept.Jobs[i].restore(templates); err != nil {
			return fmt.Errorf("kept job %d: %w", i, err)
		}
	}
	*list = make(Jobs, len(kept.Order))
	for i, number := range kept.Order {
		if number.Of < 0 || number.Of >= len(kept.Jobs) {
			return errors.New("kept job is a copy of none")
		}
		(*list)[i] = kept.Jobs[number.Of].WithID(number.ID, number.Time)
	}
	return nil
}

func (k *keptTemplate) restore(all []Tx) (*Template, error) {
	t := &k.Template
	t.Txs = make([]Tx, len(k.Txs))
	txids := make([]chainhash.Hash, len(k.Txs))
	wtxids := make([]chainhash.Hash, len(k.Txs))
	for i, at := range k.Txs {
		if at < 0 || at >= len(all) {
			return nil, errors.New("a transaction is missing")
		}
		t.Txs[i] = all[at]
		txids[i], wtxids[i] = all[at].TxID, all[at].WTxID
	}
	if !slices.Equal(MerkleBranches(txids), t.Branches) {
		return nil, errors.New("transactions are not those of the merkle branches")
	}
	if t.WitnessCommitment != nil && !slices.Equal(commitmentScript(wtxids), t.WitnessCommitment) {
		return nil, errors.New("transactions are not those of the witness commitment")
	}
	return t, nil
}

func (k *keptJob) restore(templates []*Template) error {
	if k.From < 0 || k.From >= len(templates) {
		return errors.New("its template is missing")
	}
	k.template = templates[k.From]
	if len(k.Coinbase1) < counterSize || len(k.Coinbase2) < lockTimeSize ||
		binary.BigEndian.Uint32(k.Coinbase1[len(k.Coinbase1)-counterSize:]) != k.ID {
		return errors.New("its coinbase is not whole")
	}
	if !slices.Equal(k.Branches, k.template.Branches) || k.PrevHash != k.template.PrevHash {
		return errors.New("its header is not that of its template")
	}
	return nil
}
