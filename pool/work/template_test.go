package work

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseTemplate(t *testing.T) {
	raw := newRawTemplate(t, 3)
	got := raw.parse(t)

	if len(got.Txs) != 3 {
		t.Fatalf("%d transactions, want 3", len(got.Txs))
	}
	for i, tx := range got.Txs {
		msg := newTx(i)
		want := Tx{
			Raw:    unhex(t, hexTx(t, msg)),
			TxID:   msg.TxHash(),
			WTxID:  msg.WitnessHash(),
			Fee:    int64(1000 + i),
			Weight: int64(raw.tx(i)["weight"].(int)),
		}
		if diff := cmp.Diff(want, tx); diff != "" {
			t.Errorf("transaction %d (-want +got):\n%s", i, diff)
		}
	}

	want := &Template{
		Height:            316,
		Version:           0x30000004,
		PrevHash:          got.PrevHash,
		Bits:              0x1e0377ae,
		Target:            Target(unhex(t, raw["target"].(string))),
		CurTime:           1_752_741_378,
		MinTime:           1_752_646_830,
		CoinbaseValue:     5_000_000_000,
		WitnessCommitment: unhex(t, raw["default_witness_commitment"].(string)),
		Txs:               got.Txs,
		Branches:          got.Branches,
		Rules:             []string{"csv", "!segwit", "!signet", "taproot"},
		LongPollID:        raw["longpollid"].(string),
		SignetChallenge:   []byte{0x51},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ParseTemplate (-want +got):\n%s", diff)
	}
	if got.PrevHash.String() != raw["previousblockhash"] {
		t.Errorf("PrevHash = %s, want %s", got.PrevHash, raw["previousblockhash"])
	}
	if len(got.Branches) != 2 {
		t.Errorf("%d branches, want 2", len(got.Branches))
	}
}

// TestParseTemplateWithoutCommitment: a node without segwit, or a template
// without witnesses, needs none.
func TestParseTemplateWithoutCommitment(t *testing.T) {
	raw := newRawTemplate(t, 2)
	raw["transactions"] = raw["transactions"].([]any)[1:] // the one without a witness
	delete(raw, "default_witness_commitment")
	delete(raw, "signet_challenge")
	got := raw.parse(t)
	if got.WitnessCommitment != nil || got.SignetChallenge != nil {
		t.Errorf("commitment %x, challenge %x, want none", got.WitnessCommitment, got.SignetChallenge)
	}
}

func TestParseTemplateRefuses(t *testing.T) {
	set := func(key string, value any) func(rawTemplate) {
		return func(r rawTemplate) { r[key] = value }
	}
	setTx := func(key string, value any) func(rawTemplate) {
		return func(r rawTemplate) { r.tx(1)[key] = value }
	}
	for _, tt := range []struct {
		name  string
		spoil func(rawTemplate)
		want  string // part of the error
	}{
		{"height 0", set("height", 0), "height 0"},
		{"height missing", func(r rawTemplate) { delete(r, "height") }, "height 0"},
		{"height beyond 32 bits", set("height", 1<<31), "height"},
		{"negative time", set("curtime", -1), "curtime"},
		{"time missing", func(r rawTemplate) { delete(r, "curtime"); delete(r, "mintime") }, "time 0"},
		{"time before the minimum", set("curtime", 1_752_646_829), "before the minimum"},
		{"negative value", set("coinbasevalue", -1), "coinbase value"},
		{"more money than exists", set("coinbasevalue", 21_000_000*100_000_000+1), "coinbase value"},
		{"fractional value", set("coinbasevalue", 1.5), "coinbasevalue"},
		{"unknown mandatory rule", set("rules", []string{"!segwit", "!quantum"}), `rule "quantum"`},
		{"previous hash short", set("previousblockhash", "00ff"), "previous block hash"},
		{"previous hash not hex", set("previousblockhash", strings.Repeat("x", 64)), "previous block hash"},
		{"bits not hex", set("bits", "1e0377ag"), "bits"},
		{"bits signed", set("bits", "+e0377ae"), "bits"},
		{"bits short", set("bits", "377ae"), "bits"},
		{"bits zero", set("bits", "00000000"), "zero"},
		{"bits negative", set("bits", "1e8377ae"), "negative"},
		{"target of other bits", set("bits", "1e0377af"), "does not follow"},
		{"target missing", func(r rawTemplate) { delete(r, "target") }, "does not follow"},
		{"commitment missing", func(r rawTemplate) { delete(r, "default_witness_commitment") }, "commitment"},
		{"commitment not hex", set("default_witness_commitment", "6a2"), "commitment"},
		{"commitment of nothing", set("default_witness_commitment", "6a24aa21a9ede2f61c3f71d1defd3fa999dfa36953755c690689799962b48bebd836974e8cf9"), "commitment"},
		{"commitment with a tail", func(r rawTemplate) {
			r["default_witness_commitment"] = r["default_witness_commitment"].(string) + "00"
		}, "commitment"},
		{"challenge not hex", set("signet_challenge", "5"), "signet challenge"},
		{"transaction not hex", setTx("data", "zz"), "transaction 1"},
		{"transaction empty", setTx("data", ""), "transaction 1"},
		{"transaction with a tail", func(r rawTemplate) { r.tx(1)["data"] = r.tx(1)["data"].(string) + "00" }, "1 bytes after the end"},
		{"transaction cut", func(r rawTemplate) { r.tx(1)["data"] = r.tx(1)["data"].(string)[2:] }, "transaction 1"},
		{"txid of another", func(r rawTemplate) { r.tx(1)["txid"] = r.tx(2)["txid"] }, "txid is"},
		{"txid missing", func(r rawTemplate) { delete(r.tx(1), "txid") }, "txid is"},
		{"witness hash of another", func(r rawTemplate) { r.tx(1)["hash"] = r.tx(2)["hash"] }, "witness hash is"},
		{"txid for witness hash", func(r rawTemplate) { r.tx(2)["hash"] = r.tx(2)["txid"] }, "witness hash is"},
		{"negative fee", setTx("fee", -1), "fee -1"},
		{"fees above the value", setTx("fee", 5_000_000_000), "fees exceed"},
		{"transaction twice", func(r rawTemplate) {
			txs := r["transactions"].([]any)
			r["transactions"] = append(txs, txs[0])
		}, "appears twice"},
		{"transactions not a list", set("transactions", 7), "transactions"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			raw := newRawTemplate(t, 4)
			tt.spoil(raw)
			got, err := ParseTemplate(raw.encode(t))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseTemplate = %v, %v, want an error with %q", got, err, tt.want)
			}
		})
	}
	for _, text := range []string{"", "null", "[]", "{", "7", `"x"`} {
		if _, err := ParseTemplate([]byte(text)); err == nil {
			t.Errorf("ParseTemplate(%q) succeeded", text)
		}
	}
}

func TestParseTemplateRefusesTooMuchWeight(t *testing.T) {
	raw := newRawTemplate(t, 2)
	msg := newTx(1)
	msg.TxOut[0].PkScript = make([]byte, 1_000_000)
	raw.tx(1)["data"] = hexTx(t, msg)
	raw.tx(1)["txid"] = msg.TxHash().String()
	raw.tx(1)["hash"] = msg.WitnessHash().String()
	if _, err := ParseTemplate(raw.encode(t)); err == nil || !strings.Contains(err.Error(), "more than a block") {
		t.Errorf("ParseTemplate = %v, want an error about the weight", err)
	}
}

// FuzzParseTemplate: nothing panics, and what is accepted makes a job that the
// witness agrees with.
func FuzzParseTemplate(f *testing.F) {
	for _, count := range []int{0, 1, 2, 5} {
		f.Add(newRawTemplate(f, count).encode(f))
	}
	f.Add([]byte(`{"height":1,"curtime":1,"bits":"207fffff"}`))

	f.Fuzz(func(t *testing.T, result []byte) {
		template, err := ParseTemplate(result)
		if err != nil {
			return
		}
		layout := newLayout(template.CoinbaseValue)
		j, err := NewJob(template, layout, 7, template.CurTime)
		if err != nil {
			return
		}
		if err := Witness(j, template, layout); err != nil {
			t.Fatal(err)
		}
	})
}

// BenchmarkTemplateToJob is what stands between the node's answer and the first
// miner: a full block of 4400 transactions, parsed, made a job, witnessed.
func BenchmarkTemplateToJob(b *testing.B) {
	raw := fullRawTemplate(b).encode(b)
	b.Run("parse", func(b *testing.B) {
		b.SetBytes(int64(len(raw)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := ParseTemplate(raw); err != nil {
				b.Fatal(err)
			}
		}
	})
	template, err := ParseTemplate(raw)
	if err != nil {
		b.Fatal(err)
	}
	layout := newLayout(template.CoinbaseValue)
	b.Run("job and witness", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			j, err := NewJob(template, layout, 7, template.CurTime)
			if err != nil {
				b.Fatal(err)
			}
			if err := Witness(j, template, layout); err != nil {
				b.Fatal(err)
			}
		}
	})
}
