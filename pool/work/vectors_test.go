package work

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/google/go-cmp/cmp"
)

// shareVector is one entry of testdata/shares.json: a job as Stratum V1 shows
// it, a submit, and everything that follows from the two.
type shareVector struct {
	Name   string
	Height int32
	Job    struct {
		PrevHash, Coinb1, Coinb2 string
		Branches                 []string `json:"merkle_branches"`
		Version, NBits, NTime    string
	}
	PreviousBlockHash string
	Extranonce1       string
	Submit            struct {
		Extranonce2, NTime, Nonce string
		VersionBits               string `json:"version_bits"`
	}
	CoinbaseTxID  string `json:"coinbase_txid"`
	MerkleRoot    string `json:"merkle_root"`
	Header        string
	Hash          string
	Difficulty    string
	CoinbaseBytes int `json:"coinbase_bytes"`
}

func readVectors(t *testing.T) []shareVector {
	t.Helper()
	var file struct{ Vectors []shareVector }
	readJSON(t, "testdata/shares.json", &file)
	if len(file.Vectors) == 0 {
		t.Fatal("no vectors")
	}
	return file.Vectors
}

func readJSON(t *testing.T, name string, out any) {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, out); err != nil {
		t.Fatal(err)
	}
}

// TestVectorsBuild builds each vector's job from what the node and the pool
// would have known, and compares it byte for byte.
func TestVectorsBuild(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			template, layout, id := v.inputs(t)
			j, err := NewJob(template, layout, id, number(t, v.Job.NTime))
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(j.Coinbase1); got != v.Job.Coinb1 {
				t.Errorf("Coinbase1 = %s, want %s", got, v.Job.Coinb1)
			}
			if got := hex.EncodeToString(j.Coinbase2); got != v.Job.Coinb2 {
				t.Errorf("Coinbase2 = %s, want %s", got, v.Job.Coinb2)
			}
			if got := len(j.Coinbase1) + ExtranonceSize + len(j.Coinbase2); got != v.CoinbaseBytes {
				t.Errorf("coinbase has %d bytes, want %d", got, v.CoinbaseBytes)
			}
			if got := fmt.Sprintf("%08x", j.Version); got != mask(t, v.Job.Version) {
				t.Errorf("Version = %s, want %s", got, mask(t, v.Job.Version))
			}
		})
	}
}

// TestVectorsProve checks everything that follows from a submit.
func TestVectorsProve(t *testing.T) {
	for _, v := range readVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			template, layout, id := v.inputs(t)
			j, err := NewJob(template, layout, id, number(t, v.Job.NTime))
			if err != nil {
				t.Fatal(err)
			}
			s := v.solution(t, j)
			p := j.Prove(s)
			got := map[string]string{
				"coinbase txid": j.CoinbaseTxID(s.Extranonce).String(),
				"merkle root":   hashOf(p.Header[36:68]).String(),
				"header":        hex.EncodeToString(p.Header[:]),
				"hash":          p.Hash.String(),
				"difficulty":    strconv.FormatFloat(HashDifficulty(p.Hash), 'f', 6, 64),
			}
			want := map[string]string{
				"coinbase txid": v.CoinbaseTxID,
				"merkle root":   v.MerkleRoot,
				"header":        v.Header,
				"hash":          v.Hash,
				"difficulty":    v.Difficulty,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Prove (-want +got):\n%s", diff)
			}
			if p.Block {
				t.Error("a share far above the network's target is called a block")
			}
		})
	}
}

// TestPublicVectors checks what is known of two shares published with another
// pool's tests, whose coinbase is not given whole: both ends of one header,
// the hashes and their difficulties.
func TestPublicVectors(t *testing.T) {
	j := &Job{Version: 0x20000000, Bits: 0x1e0377ae}
	const tip = "00000000002bfbde338ade6514af8b63bb564065051038ba745ea34087f914a7"
	if err := decodeHash(&j.PrevHash, tip); err != nil {
		t.Fatal(err)
	}
	p := j.Prove(Solution{Version: j.Version | 0x083ac000, Time: 0x6878b602, Nonce: 0x58f90070})
	got := hex.EncodeToString(p.Header[:12]) + " … " + hex.EncodeToString(p.Header[68:])
	if want := "00c03a28a714f98740a35e74 … 02b67868ae77031e7000f958"; got != want {
		t.Errorf("header = %s, want %s", got, want)
	}

	network, err := TargetFromBits(j.Bits)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ hash, difficulty string }{
		{"0000000000cdd305efb7cb9d86c7dc8eccf504a32fdf781ea053f87b6f5b3642", "318.4026"},
		{"000000000822bbfaf34d53fc43d0c1382054d3aafe31893020c315db8b0a19f9", "31.4658"},
	} {
		var h chainhash.Hash
		if err := decodeHash(&h, tt.hash); err != nil {
			t.Fatal(err)
		}
		if got := strconv.FormatFloat(HashDifficulty(h), 'f', 4, 64); got != tt.difficulty {
			t.Errorf("HashDifficulty(%s) = %s, want %s", h, got, tt.difficulty)
		}
		if !network.Meets(h) {
			t.Errorf("%s is no block, but was one", h)
		}
		if d := HashDifficulty(h); !AcceptTarget(d).Meets(h) || AcceptTarget(d*1.0001).Meets(h) {
			t.Errorf("%s is not accepted exactly up to its difficulty", h)
		}
	}
}

// inputs turns a vector back into what its job is made of.
func (v shareVector) inputs(t *testing.T) (*Template, Layout, uint32) {
	t.Helper()
	bits := number(t, v.Job.NBits)
	target, err := TargetFromBits(bits)
	if err != nil {
		t.Fatal(err)
	}
	template := &Template{
		Height:  v.Height,
		Version: number(t, v.Job.Version),
		Bits:    bits,
		Target:  target,
		CurTime: number(t, v.Job.NTime),
		MinTime: number(t, v.Job.NTime),
	}
	if err := decodeHash(&template.PrevHash, v.PreviousBlockHash); err != nil {
		t.Fatal(err)
	}
	for _, b := range v.Job.Branches {
		template.Branches = append(template.Branches, hashOf(unhex(t, b)))
	}

	// coinb2: sequence 4, count 1, value 8, P2WPKH 1+22, value 8, commitment 1+38
	suffix := unhex(t, v.Job.Coinb2)
	template.CoinbaseValue = int64(binary.LittleEndian.Uint64(suffix[5:]))
	template.WitnessCommitment = suffix[45:83]
	layout := Layout{
		Tag:     "/DMPool/",
		Outputs: []Output{{Script: suffix[14:36], Value: template.CoinbaseValue}},
	}
	prefix := unhex(t, v.Job.Coinb1)
	return template, layout, binary.BigEndian.Uint32(prefix[len(prefix)-4:])
}

// solution decodes the submit by hand, as a session does.
func (v shareVector) solution(t *testing.T, j *Job) Solution {
	t.Helper()
	s := Solution{
		Version: j.Version | number(t, v.Submit.VersionBits),
		Time:    number(t, v.Submit.NTime),
		Nonce:   number(t, v.Submit.Nonce),
	}
	copy(s.Extranonce[:], unhex(t, v.Extranonce1+v.Submit.Extranonce2))
	return s
}

func mask(t *testing.T, version string) string {
	t.Helper()
	return fmt.Sprintf("%08x", number(t, version)&^RollingMask)
}

func number(t *testing.T, s string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func hashOf(b []byte) chainhash.Hash { return chainhash.Hash(b) }
