package work

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/btcsuite/btcd/wire/v2"
	"github.com/google/go-cmp/cmp"
)

func TestScanTxs(t *testing.T) {
	for _, text := range []string{
		`[]`,
		`[{"data":"00","txid":"11","hash":"22","depends":[],"fee":0,"sigops":1,"weight":400}]`,
		`[{"data":"00","txid":"11","hash":"22","depends":[1,20],"fee":123456789012345678,"sigops":1,"weight":4},{"fee":7}]`,
		`[{"fee":1,"fee":2,"data":"","data":"00"}]`, // the last one counts
	} {
		got, ok := scanTxs([]byte(text))
		var want []txJSON
		if err := json.Unmarshal([]byte(text), &want); err != nil {
			t.Fatal(err)
		}
		if !ok || len(got) != len(want) || len(want) > 0 && !cmp.Equal(want, got) {
			t.Errorf("scanTxs(%s) = %v, %v, want %v", text, got, ok, want)
		}
	}
}

// TestScanTxsLeavesTheRestAlone: what bitcoind does not write is for
// encoding/json, which takes some of it.
func TestScanTxsLeavesTheRestAlone(t *testing.T) {
	for _, text := range []string{
		``, `[`, `]`, `null`, `{}`, `[{}]`, `[{]`, `[{"fee":1}`, `[{"fee":1},]`, `[,{"fee":1}]`, `[{"fee":1}]]`, `[{"fee":1}] `, ` []`, `[ ]`,
		`[{"fee":1} ,{"fee":1}]`, `[{"fee":1}{"fee":1}]`, `[{"fee":1,}]`, `[{,"fee":1}]`, `[{"fee"}]`, `[{"fee":}]`, `[{"fee" :1}]`, `[{"fee":1]`,
		`[{"fee":-1}]`, `[{"fee":01}]`, `[{"fee":1.5}]`, `[{"fee":1e3}]`, `[{"fee":1234567890123456789}]`, `[{"fee":"1"}]`, `[{"fee":null}]`,
		`[{"Fee":1}]`, `[{"f\u0065e":1}]`, `[{"other":1}]`, `[{"data":7}]`, `[{"data":null}]`, `[{"data":"\u0030"}]`, `[{"data":"00]`, `[{"data":"00\"}]`,
		`[{"depends":1}]`, `[{"depends":[,]}]`, `[{"depends":[1,]}]`, `[{"depends":[,1]}]`, `[{"depends":[1 ,2]}]`, `[{"depends":["1"]}]`, `[{"depends":[1}]`,
	} {
		if got, ok := scanTxs([]byte(text)); ok {
			t.Errorf("scanTxs(%s) = %v", text, got)
		}
	}
}

// TestParseTemplateInEveryHand: a node that writes JSON in another way than
// bitcoind is understood as well, and its mistakes are found as well.
func TestParseTemplateInEveryHand(t *testing.T) {
	raw := newRawTemplate(t, 5)
	plain := raw.encode(t)
	want := raw.parse(t)
	var indented bytes.Buffer
	if err := json.Indent(&indented, plain, "", "  "); err != nil {
		t.Fatal(err)
	}
	for name, result := range map[string]string{
		"indented":          indented.String(),
		"space at the end":  string(plain) + " \n",
		"escape in a key":   strings.Replace(string(plain), `"transactions"`, `"tr\u0061nsactions"`, 1),
		"capital key":       strings.Replace(string(plain), `"transactions"`, `"Transactions"`, 1),
		"given twice":       strings.Replace(string(plain), `{`, `{"transactions":[],`, 1),
		"unknown key":       strings.Replace(string(plain), `{"data"`, `{"more":[{"x":1}],"data"`, 1),
		"escape in a value": strings.Replace(string(plain), `"data":"02`, `"data":"\u0030\u0032`, 1),
		"odd number":        strings.Replace(string(plain), `"sigops":1`, `"sigops":1e0`, 1),
	} {
		got, err := ParseTemplate([]byte(result))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for name, result := range map[string]string{
		"comma missing":     strings.Replace(string(plain), `"fee":1000,`, `"fee":1000`, 1),
		"not whole":         strings.Replace(string(plain), `"fee":1000`, `"fee":1000.5`, 1),
		"cut off":           string(plain[:len(plain)-1]),
		"more after it":     string(plain) + "{}",
		"damaged elsewhere": strings.Replace(string(plain), `"height":316`, `"height":0316`, 1),
	} {
		if _, err := ParseTemplate([]byte(result)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// FuzzScanTxs: what the scanner accepts, encoding/json accepts with the same
// result, unless a string holds what no hexadecimal number does.
func FuzzScanTxs(f *testing.F) {
	f.Add([]byte(`[{"data":"00ff","txid":"11","hash":"22","depends":[1,2],"fee":300,"sigops":1,"weight":400},{"fee":1}]`))
	f.Add([]byte(`[{"fee":01}]`))
	f.Add([]byte(`[{"data":"\u0030"}]`))
	f.Fuzz(func(t *testing.T, array []byte) {
		got, ok := scanTxs(array)
		if !ok || bytes.ContainsFunc(array, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		var want []txJSON
		if err := json.Unmarshal(array, &want); err != nil {
			t.Fatalf("scanTxs accepts %q: %v", array, err)
		}
		if len(got) != len(want) || len(want) > 0 && !cmp.Equal(want, got) {
			t.Errorf("scanTxs(%q) = %v, want %v", array, got, want)
		}
	})
}

// FuzzDecodeTemplate: cutting, scanning and encoding/json together accept what
// encoding/json alone accepts, and read the same out of it.
func FuzzDecodeTemplate(f *testing.F) {
	f.Add(newRawTemplate(f, 3).encode(f))
	f.Add([]byte(`{"transactions":[{"fee":1}],"height":1,"TRANSACTIONS":[]}`))
	f.Add([]byte(`{"transactions":[{"fee":1,"weight":01}],"rules":["\u0021x"]}`))
	f.Fuzz(func(t *testing.T, result []byte) {
		if bytes.ContainsFunc(result, func(r rune) bool { return r < ' ' || r > '~' }) {
			return
		}
		got, err := decodeTemplate(result)
		var want templateJSON
		wantErr := json.Unmarshal(result, &want)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("decodeTemplate(%q): %v, encoding/json: %v", result, err, wantErr)
		}
		if err != nil {
			return
		}
		if len(got.Transactions) == 0 && len(want.Transactions) == 0 {
			got.Transactions, want.Transactions = nil, nil
		}
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("decodeTemplate(%q) (-encoding/json +got):\n%s", result, diff)
		}
	})
}

// FuzzReadTx: the reader accepts what another library decodes and would write in
// the same way, and computes the same from it.
func FuzzReadTx(f *testing.F) {
	for i := range 2 {
		f.Add(unhex(f, hexTx(f, newTx(i))))
	}
	long := newTx(0)
	long.TxOut[0].PkScript = make([]byte, 300)
	f.Add(unhex(f, hexTx(f, long)))
	f.Add(append([]byte{1, 0, 0, 0, 0, 1}, make([]byte, 10)...))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := new(txReader).read(raw)

		var msg wire.MsgTx
		r := bytes.NewReader(raw)
		var again bytes.Buffer
		same := msg.Deserialize(r) == nil && r.Len() == 0 && msg.Serialize(&again) == nil && bytes.Equal(again.Bytes(), raw)
		if same != (err == nil) {
			t.Fatalf("read(%x): %v, the other library takes it: %v", raw, err, same)
		}
		if err != nil {
			return
		}
		want := Tx{Raw: raw, TxID: msg.TxHash(), WTxID: msg.WitnessHash(), Weight: int64(3*msg.SerializeSizeStripped() + msg.SerializeSize())}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("read(%x) (-want +got):\n%s", raw, diff)
		}
	})
}
