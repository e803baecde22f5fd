package stratum

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/dmpool/dmpool/pool/work"
)

// The published vectors, from the line to the header.
func TestSubmitVectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/shares.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Vectors []struct {
			Name string `json:"name"`
			Job  struct {
				PrevHash, Coinb1, Coinb2 string
				Branches                 []string `json:"merkle_branches"`
				Version, NBits, NTime    string
			} `json:"job"`
			Extranonce1 string `json:"extranonce1"`
			Submit      struct {
				Extranonce2, NTime, Nonce string
				VersionBits               string `json:"version_bits"`
			} `json:"submit"`
			Header, Hash string
		} `json:"vectors"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		t.Run(v.Name, func(t *testing.T) {
			params, err := json.Marshal([]any{
				"0000abcd", v.Job.PrevHash, v.Job.Coinb1, v.Job.Coinb2,
				append([]string{}, v.Job.Branches...), v.Job.Version, v.Job.NBits, v.Job.NTime, false,
			})
			if err != nil {
				t.Fatal(err)
			}
			n, err := ParseNotify(params)
			if err != nil {
				t.Fatal(err)
			}
			target, err := work.TargetFromBits(n.Bits)
			if err != nil {
				t.Fatal(err)
			}
			job := &work.Job{
				ID: 0xabcd, PrevHash: n.PrevHash, Coinbase1: n.Coinbase1, Coinbase2: n.Coinbase2, Branches: n.Branches,
				Version: n.Version &^ work.RollingMask, Bits: n.Bits, Time: n.Time, Target: target, NetworkDifficulty: target.Difficulty(),
			}
			wantLine := `{"id":null,"method":"mining.notify","params":` + string(params) + "}\n"
			if got := string(newNotice(job, nil).refresh); got != wantLine {
				t.Errorf("notify line\n got %s\nwant %s", got, wantLine)
			}

			inWorldAt(t, time.Unix(int64(n.Time), 0), Config{}, &fakeBackend{}, func(w *world) {
				en1, ok := hex32([]byte(v.Extranonce1))
				if !ok {
					t.Fatal(v.Extranonce1)
				}
				w.server.draw = func() uint32 { return en1 }
				w.server.Publish(job, true)
				w.backend.authorize = func(string) (Worker, error) { return Worker{FixedDifficulty: 0.0002}, nil }
				m := w.ready("cpuminer")
				line := `{"id":4,"method":"mining.submit","params":["addr","0000abcd","` + v.Submit.Extranonce2 + `","` +
					v.Submit.NTime + `","` + v.Submit.Nonce + `","` + v.Submit.VersionBits + `"]}`
				if got := m.ask(line); got != accepted {
					t.Fatalf("%s answered by %s", line, got)
				}
				proof := w.backend.lastAccepted(t).Proof
				if got := hex.EncodeToString(proof.Header[:]); got != v.Header {
					t.Errorf("header\n got %s\nwant %s", got, v.Header)
				}
				if got := proof.Hash.String(); got != v.Hash {
					t.Errorf("hash %s, want %s", got, v.Hash)
				}
			})
		})
	}
}

// The numbers of a share in the public logs of another pool.
func TestSwapWords(t *testing.T) {
	prev, err := hex.DecodeString("87f914a7745ea340051038babb56406514af8b63338ade65002bfbde00000000")
	if err != nil {
		t.Fatal(err)
	}
	h := swapWords([32]byte(prev))
	if got, want := chainhash.Hash(h).String(), "00000000002bfbde338ade6514af8b63bb564065051038ba745ea34087f914a7"; got != want {
		t.Errorf("prevhash %s, want %s", got, want)
	}
}

func TestRolledVersion(t *testing.T) {
	for _, test := range []struct {
		bits string
		want uint32
		ok   bool
	}{
		{"083ac000", 0x283ac000, true},
		{"20000000", 0x20000000, true},
		{"283ac000", 0x283ac000, true},
		{"e0000000", 0, false},
		{"00000001", 0, false},
	} {
		bits, _ := hex32([]byte(test.bits))
		got, ok := rolledVersion(0x20000000, bits, work.RollingMask)
		if got != test.want || ok != test.ok {
			t.Errorf("rolledVersion(%s) = %08x, %v, want %08x, %v", test.bits, got, ok, test.want, test.ok)
		}
	}
}
