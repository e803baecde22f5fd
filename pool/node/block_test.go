package node

import (
	"encoding/binary"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"

	"github.com/dmpool/dmpool/pool/work"
)

// anyone is an output script that anyone can spend.
var anyone = []byte{0x51}

// solve mines a block of a template that pays script, or anyone.
func solve(t *testing.T, template *work.Template, script []byte) []byte {
	t.Helper()

	if script == nil {
		script = anyone
	}
	layout := work.Layout{Tag: "/test/", Outputs: []work.Output{{Script: script, Value: template.CoinbaseValue}}}
	job, err := work.NewJob(template, layout, 1, template.CurTime)
	if err != nil {
		t.Fatal(err)
	}

	solution := work.Solution{Version: job.Version, Time: job.Time}
	header := job.Prove(solution).Header
	for !template.Target.Meets(chainhash.DoubleHashH(header[:])) {
		solution.Nonce++
		binary.LittleEndian.PutUint32(header[76:], solution.Nonce)
	}
	if !job.Prove(solution).Block {
		t.Fatal("the header that was mined is not the one that the job proves")
	}

	return job.Block(solution)
}
