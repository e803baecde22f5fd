package node

import (
	"testing"

	"github.com/dmpool/dmpool/pool/work"
)

// anyone is an output script that anyone can spend.
var anyone = []byte{0x51}

// solve mines a block of a template that pays script, or anyone, by counting nonces up.
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
	for !job.Prove(solution).Block {
		solution.Nonce++
	}

	return job.Block(solution)
}
