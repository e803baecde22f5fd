package stratum_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/dmpool/dmpool/pool/stratum"
	"github.com/dmpool/dmpool/pool/stratum/minersim"
)

// What another decoder understands, which follows the strictest firmware, ours
// must understand in the same way.
func FuzzParseNotify(f *testing.F) {
	hash := strings.Repeat("0123456789abcdef", 4)
	for _, seed := range []string{
		`["5eed0001","` + hash + `","01000000","ffffffff",["` + hash + `"],"20000000","17021a91","68d0c2aa",true]`,
		`["","` + hash + `","","",[],"20000000","17021A91","68d0c2aa",false,null]`,
		`["1","00","","",null,"2","3","4",true]`,
		`[1,2,3,4,5,6,7,8,9]`,
		`{}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, params []byte) {
		got, err := stratum.ParseNotify(params)
		want, strict := minersim.ParseJob(params)
		if strict != nil {
			return
		}
		if err != nil {
			t.Fatalf("ParseNotify(%s) = %v", params, err)
		}
		branches := make([]chainhash.Hash, len(want.Branches))
		for i, branch := range want.Branches {
			branches[i] = branch
		}
		same := stratum.Notify{
			JobID: want.ID, PrevHash: want.PrevHash, Coinbase1: want.Coinbase1, Coinbase2: want.Coinbase2,
			Branches: branches, Version: want.Version, Bits: want.Bits, Time: want.Time, Clean: want.Clean,
		}
		if len(branches) == 0 {
			same.Branches = got.Branches
		}
		if diff := cmp.Diff(same, got); diff != "" {
			t.Fatalf("ParseNotify(%s) (-want +got):\n%s", params, diff)
		}
	})
}

// Ids and params keep the sender's bytes, and an answer either has an error
// text or no error.
func FuzzParseMessage(f *testing.F) {
	for _, seed := range []string{
		`{"id":1,"method":"mining.subscribe","params":["cgminer/4.11.1"]}`,
		`{"id":"auth","result":true,"error":null}`,
		`{"id":4,"result":null,"error":[21,"Job not found",null]}`,
		`{"id":4,"result":false,"error":"Above target"}`,
		`{"id":4,"result":null,"error":{"code":-1,"message":"no"}}`,
		`{"id":1.50,"ttl":2,"method":"mining.authorize","params":["a",""]}`,
		`{"id":4,"error":[20,"",null]}`,
		`null`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := stratum.ParseMessage(line)
		if err != nil {
			return
		}
		for _, raw := range []json.RawMessage{m.ID, m.Params, m.Result, m.Error} {
			if len(raw) > 0 && (!json.Valid(raw) || !strings.Contains(string(line), string(raw))) {
				t.Fatalf("%q: member %q", line, raw)
			}
		}
		none := len(m.Error) == 0 || string(m.Error) == "null"
		if text := stratum.ErrorText(m.Error); (text == "") != none {
			t.Fatalf("ErrorText(%s) = %q", m.Error, text)
		}
		before := slices.Clone(m.ID)
		for i := range line {
			line[i] = 'x'
		}
		if !slices.Equal(m.ID, before) {
			t.Fatal("the message shares memory with the line")
		}
	})
}
