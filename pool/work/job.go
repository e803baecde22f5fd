package work

import (
	"encoding/binary"
	"fmt"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// RollingMask has the bits of the header version that miners may roll
// (BIP320). A job's version has them cleared: firmware disagrees on whether to
// add, replace or exclusive-or its bits, and only on clean bits all agree.
const RollingMask uint32 = 0x1fffe000

// Job is one piece of work as it is sent to miners. It is immutable once made
// and may be shared.
type Job struct {
	ID       uint32         // also the counter inside the coinbase
	Height   int32          // of the block to be found
	Version  uint32         // of the template, rolling bits cleared
	PrevHash chainhash.Hash // the tip that it builds on
	Bits     uint32         // compact network target
	Time     uint32         // header time to start with, unix seconds
	MinTime  uint32         // the earliest header time allowed
	MaxTime  uint32         // the latest one for which Bits hold, where they depend on it; 0: they do not

	// The coinbase without witness, around the ExtranonceSize bytes that
	// belong between the two.
	Coinbase1, Coinbase2 []byte

	Branches          []chainhash.Hash // merkle branches, lowest first
	Target            Target           // of the network
	NetworkDifficulty float64          // Target.Difficulty()
	Value             int64            // what the coinbase pays out, satoshis

	Layout   Layout // that the coinbase was made of
	template *Template
}

// NewJob makes a job of a template, a layout and a number that no other job
// has: it stands in the coinbase, so that no two jobs have equal content. A
// time below the template's minimum is raised to it. The error says what is
// wrong with the layout.
func NewJob(t *Template, l Layout, id, time uint32) (*Job, error) {
	if t.Height < 1 {
		return nil, fmt.Errorf("make job: height %d is not that of a new block", t.Height)
	}
	if err := l.check(t); err != nil {
		return nil, fmt.Errorf("make job: %w", err)
	}
	prefix, suffix := coinbaseParts(t, l, id)
	j := &Job{
		ID:                id,
		Height:            t.Height,
		Version:           t.Version &^ RollingMask,
		PrevHash:          t.PrevHash,
		Bits:              t.Bits,
		Time:              max(time, t.MinTime),
		MinTime:           t.MinTime,
		Coinbase1:         prefix,
		Coinbase2:         suffix,
		Branches:          t.Branches,
		Target:            t.Target,
		NetworkDifficulty: t.Target.Difficulty(),
		Value:             t.CoinbaseValue,
		Layout:            l,
		template:          t,
	}
	if err := j.checkWeight(); err != nil {
		return nil, fmt.Errorf("make job: %w", err)
	}
	return j, nil
}

// With returns the same job under another number and with another layout: what a
// session gets whose coinbase pays somebody else.
func (j *Job) With(id uint32, l Layout) (*Job, error) {
	if err := l.check(j.template); err != nil {
		return nil, fmt.Errorf("lay out job: %w", err)
	}
	other := *j
	other.ID, other.Layout = id, l
	other.Coinbase1, other.Coinbase2 = coinbaseParts(j.template, l, id)
	if err := other.checkWeight(); err != nil {
		return nil, fmt.Errorf("lay out job: %w", err)
	}
	return &other, nil
}

func (j *Job) checkWeight() error {
	if w := j.weight(); w > maxBlockWeight {
		return fmt.Errorf("the block would weigh %d, more than %d", w, maxBlockWeight)
	}
	return nil
}

// CoinbaseSize returns the bytes of the coinbase as miners hash it, without its
// witness. Some firmware has little room for it.
func (j *Job) CoinbaseSize() int { return len(j.Coinbase1) + ExtranonceSize + len(j.Coinbase2) }

// weight returns the weight of the block that a solution makes.
func (j *Job) weight() int64 {
	stripped := headerSize + len(appendCompactSize(nil, 1+len(j.template.Txs))) +
		len(j.Coinbase1) + ExtranonceSize + len(j.Coinbase2)
	weight := int64(4 * stripped)
	if j.template.WitnessCommitment != nil {
		weight += int64(len(witnessMarker) + len(witnessStack()))
	}
	for i := range j.template.Txs {
		weight += j.template.Txs[i].Weight
	}
	return weight
}

// WithID returns the same job, template and outputs, under another number and
// with a fresh time (raised to the template's minimum): what a session gets
// when its difficulty changes or to keep its connection alive.
func (j *Job) WithID(id, time uint32) *Job {
	fresh := *j
	fresh.ID = id
	fresh.Time = max(time, j.MinTime)
	fixed := len(j.Coinbase1) - counterSize
	fresh.Coinbase1 = binary.BigEndian.AppendUint32(j.Coinbase1[:fixed:fixed], id)
	return &fresh
}

// Template returns the template that the job was made of.
func (j *Job) Template() *Template { return j.template }
