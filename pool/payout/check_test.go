package payout

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/btcsuite/btcd/psbt/v2"
	"github.com/btcsuite/btcd/txscript/v2"
	"github.com/btcsuite/btcd/wire/v2"
	"pgregory.net/rapid"

	"github.com/dmpool/dmpool/pool/node"
)

// funded is a payment that a wallet has built, with all that is known about it.
type funded struct {
	wallet  *fakeWallet
	packet  *psbt.Packet
	funding funding
}

// drawFunded lets a fake wallet build a payment of some items.
func drawFunded(t *rapid.T) funded {
	w := newFakeWallet()
	w.mine(rapid.IntRange(1, 5).Draw(t, "coins"), 50_000_000)
	w.mine(105, 0)

	f := funding{
		payout: 7, rev: 2, height: w.height,
		feeRate: rapid.Int64Range(1000, 50_000).Draw(t, "fee rate"),
		coins:   map[wire.OutPoint]wire.TxOut{},
		leased:  map[wire.OutPoint]int64{},
		mine:    func(script []byte) bool { return w.keys[string(script)] != nil },
	}
	var outputs []node.PayTo
	for n := range rapid.IntRange(1, 6).Draw(t, "items") {
		item := Item{
			Account: int64(101 + n), Script: script(int64(n)),
			Address: addressOf(t, script(int64(n))), Amount: rapid.Int64Range(300, 5_000_000).Draw(t, "amount"),
		}
		f.items = append(f.items, item)
		outputs = append(outputs, node.PayTo{Address: item.Address, Amount: item.Amount})
	}
	f.feeCap = 1_000_000
	for _, u := range w.unspent() {
		f.coins[wire.OutPoint{Hash: u.TxID, Index: u.Vout}] = wire.TxOut{Value: int64(u.Amount), PkScript: u.Script}
	}

	result, err := w.FundPSBT(t.Context(), outputs, node.FundOptions{FeeRate: formatFeeRate(f.feeRate), MinConf: 1})
	if err != nil {
		t.Fatal(err)
	}
	packet, err := decodePSBT(result.PSBT)
	if err != nil {
		t.Fatal(err)
	}

	return funded{wallet: w, packet: packet, funding: f}
}

// check encodes the packet and has it checked.
func (f funded) check(t *rapid.T) (Plan, error) {
	text, err := f.packet.B64Encode()
	if err != nil {
		t.Fatal(err)
	}

	return f.funding.check(text)
}

func TestCheckAcceptsAndSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFunded(t)
		plan, err := f.check(t)
		if err != nil {
			t.Fatal(err)
		}
		if plan.spent() != total(plan.Items)+plan.Change+plan.Fee {
			t.Fatalf("plan does not add up: %+v", plan)
		}
		if plan.TxID != f.packet.UnsignedTx.TxHash() || plan.Payout != 7 || plan.Rev != 2 {
			t.Fatalf("plan %+v", plan)
		}

		signPacket(f.packet, f.wallet.keys)
		raw, err := extract(f.packet)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := plan.checkSigned(raw); err != nil {
			t.Fatal(err)
		}
	})
}

// mutation changes a payment into one that must not be made.
type mutation func(t *rapid.T, f *funded)

// mutations of the unsigned transaction and of what is known about its coins.
// The change is the last output.
var mutations = map[string]mutation{
	"output added": func(_ *rapid.T, f *funded) {
		tx := f.packet.UnsignedTx
		tx.AddTxOut(wire.NewTxOut(1000, script(99)))
		f.packet.Outputs = append(f.packet.Outputs, psbt.POutput{})
	},
	"second change": func(_ *rapid.T, f *funded) {
		tx := f.packet.UnsignedTx
		tx.AddTxOut(wire.NewTxOut(1000, f.wallet.newScript()))
		f.packet.Outputs = append(f.packet.Outputs, psbt.POutput{})
	},
	"output missing": func(_ *rapid.T, f *funded) {
		f.packet.UnsignedTx.TxOut = f.packet.UnsignedTx.TxOut[1:]
		f.packet.Outputs = f.packet.Outputs[1:]
	},
	"paid twice": func(_ *rapid.T, f *funded) {
		tx := f.packet.UnsignedTx
		tx.AddTxOut(tx.TxOut[0])
		f.packet.Outputs = append(f.packet.Outputs, psbt.POutput{})
	},
	"amount changed": func(t *rapid.T, f *funded) {
		out := rapid.SampledFrom(f.packet.UnsignedTx.TxOut[:len(f.funding.items)]).Draw(t, "output")
		out.Value += rapid.SampledFrom([]int64{-1, 1, 1000}).Draw(t, "difference")
	},
	"script changed": func(t *rapid.T, f *funded) {
		out := rapid.SampledFrom(f.packet.UnsignedTx.TxOut[:len(f.funding.items)]).Draw(t, "output")
		out.PkScript = slices.Clone(out.PkScript)
		out.PkScript[rapid.IntRange(0, len(out.PkScript)-1).Draw(t, "byte")] ^= 1
	},
	"foreign change": func(_ *rapid.T, f *funded) {
		outs := f.packet.UnsignedTx.TxOut
		outs[len(outs)-1].PkScript = script(99)
	},
	"dust as change": func(_ *rapid.T, f *funded) {
		outs := f.packet.UnsignedTx.TxOut
		f.funding.feeCap += outs[len(outs)-1].Value
		outs[len(outs)-1].Value = 293
	},
	"input immature or not ours": func(t *rapid.T, f *funded) {
		delete(f.funding.coins, drawInput(t, f).PreviousOutPoint)
	},
	"input leased": func(t *rapid.T, f *funded) {
		f.funding.leased[drawInput(t, f).PreviousOutPoint] = 3
	},
	"input twice": func(_ *rapid.T, f *funded) {
		tx := f.packet.UnsignedTx
		tx.AddTxIn(tx.TxIn[0])
		f.packet.Inputs = append(f.packet.Inputs, f.packet.Inputs[0])
	},
	"input not segwit": func(t *rapid.T, f *funded) {
		op := drawInput(t, f).PreviousOutPoint
		coin := f.funding.coins[op]
		coin.PkScript = append(append([]byte{0x76, 0xa9, 0x14}, make([]byte, 20)...), 0x88, 0xac)
		f.funding.coins[op] = coin
		for n, in := range f.packet.UnsignedTx.TxIn {
			if in.PreviousOutPoint == op {
				f.packet.Inputs[n].WitnessUtxo = &coin
			}
		}
	},
	"input of another amount": func(_ *rapid.T, f *funded) {
		f.packet.Inputs[0].WitnessUtxo.Value--
	},
	"input of another script": func(_ *rapid.T, f *funded) {
		f.packet.Inputs[0].WitnessUtxo.PkScript = script(98)
	},
	"input unknown to the psbt": func(_ *rapid.T, f *funded) {
		f.packet.Inputs[0].WitnessUtxo = nil
	},
	"no fee": func(_ *rapid.T, f *funded) {
		outs := f.packet.UnsignedTx.TxOut
		outs[len(outs)-1].Value += f.fee()
	},
	"negative fee": func(_ *rapid.T, f *funded) {
		outs := f.packet.UnsignedTx.TxOut
		outs[len(outs)-1].Value += f.fee() + 1
	},
	"fee below the rate": func(_ *rapid.T, f *funded) {
		f.funding.feeRate *= 2
	},
	"fee over the cap": func(_ *rapid.T, f *funded) {
		f.funding.feeCap = f.fee() - 1
	},
	"locked until later": func(t *rapid.T, f *funded) {
		f.packet.UnsignedTx.LockTime = rapid.SampledFrom([]uint32{uint32(f.funding.height) + 1, 499_999_999, 1_800_000_000}).Draw(t, "lock time")
	},
	"nobody is paid": func(_ *rapid.T, f *funded) {
		f.funding.items = nil
	},
}

func drawInput(t *rapid.T, f *funded) *wire.TxIn {
	return rapid.SampledFrom(f.packet.UnsignedTx.TxIn).Draw(t, "input")
}

// fee is what the payment pays to the chain.
func (f funded) fee() int64 {
	var fee int64
	for _, in := range f.packet.UnsignedTx.TxIn {
		fee += f.funding.coins[in.PreviousOutPoint].Value
	}
	for _, out := range f.packet.UnsignedTx.TxOut {
		fee -= out.Value
	}

	return fee
}

func TestCheckRefuses(t *testing.T) {
	for name, mutate := range mutations {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			f := drawFunded(t)
			mutate(t, &f)
			if plan, err := f.check(t); err == nil {
				t.Fatalf("accepted: %+v", plan)
			}
		}))
	}
}

func TestFeeOverTheCapIsErrCap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFunded(t)
		f.funding.feeCap = f.fee() - 1
		if _, err := f.check(t); !errors.Is(err, ErrCap) {
			t.Fatalf("check = %v, want ErrCap", err)
		}
	})
}

// TestCheckSignedRefuses changes the signed transaction, or the plan, after the
// approval.
func TestCheckSignedRefuses(t *testing.T) {
	resign := func(f *funded, tx *wire.MsgTx) {
		coins := f.packet.Inputs
		packet, err := psbt.NewFromUnsignedTx(tx)
		if err != nil {
			panic(err)
		}
		for n := range packet.Inputs {
			packet.Inputs[n].WitnessUtxo = coins[n].WitnessUtxo
		}
		f.packet = packet
	}
	tests := map[string]func(t *rapid.T, f *funded, plan *Plan){
		"amount":      func(_ *rapid.T, f *funded, _ *Plan) { f.packet.UnsignedTx.TxOut[0].Value++ },
		"recipient":   func(_ *rapid.T, f *funded, _ *Plan) { f.packet.UnsignedTx.TxOut[0].PkScript = script(99) },
		"sequence":    func(_ *rapid.T, f *funded, _ *Plan) { f.packet.UnsignedTx.TxIn[0].Sequence-- },
		"lock time":   func(_ *rapid.T, f *funded, _ *Plan) { f.packet.UnsignedTx.LockTime++ },
		"version":     func(_ *rapid.T, f *funded, _ *Plan) { f.packet.UnsignedTx.Version++ },
		"plan's item": func(_ *rapid.T, _ *funded, p *Plan) { p.Items[0].Amount++ },
		"plan's fee":  func(_ *rapid.T, _ *funded, p *Plan) { p.Fee++ },
		"plan's cap":  func(_ *rapid.T, _ *funded, p *Plan) { p.FeeCap = p.Fee - 1 },
		"plan's change": func(_ *rapid.T, _ *funded, p *Plan) {
			p.ChangeScript = script(97)
		},
		"plan's coin": func(_ *rapid.T, _ *funded, p *Plan) { p.Inputs[0].OutPoint.Index++ },
		"plan's inputs": func(_ *rapid.T, _ *funded, p *Plan) {
			p.Inputs = append(p.Inputs, Input{OutPoint: wire.OutPoint{Index: 5}})
		},
	}
	for name, change := range tests {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			f := drawFunded(t)
			plan, err := f.check(t)
			if err != nil {
				t.Fatal(err)
			}
			plan.Items = slices.Clone(plan.Items)
			change(t, &f, &plan)
			resign(&f, f.packet.UnsignedTx)
			signPacket(f.packet, f.wallet.keys)
			raw, err := extract(f.packet)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := plan.checkSigned(raw); err == nil {
				t.Fatal("accepted")
			}
		}))
	}
}

// TestCheckSignedBytes changes single bytes of the serialized transaction: the
// id covers all but the witnesses, the scripts cover those.
func TestCheckSignedBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFunded(t)
		plan, err := f.check(t)
		if err != nil {
			t.Fatal(err)
		}
		signPacket(f.packet, f.wallet.keys)
		raw, err := extract(f.packet)
		if err != nil {
			t.Fatal(err)
		}

		changed := slices.Clone(raw)
		changed[rapid.IntRange(0, len(raw)-1).Draw(t, "byte")] ^= byte(1 << rapid.IntRange(0, 7).Draw(t, "bit"))
		if _, err := plan.checkSigned(changed); err == nil {
			t.Fatal("a changed byte is accepted")
		}
		if _, err := plan.checkSigned(append(raw, 0)); err == nil {
			t.Fatal("an added byte is accepted")
		}
		if _, err := plan.checkSigned(raw[:len(raw)-1]); err == nil {
			t.Fatal("a missing byte is accepted")
		}
	})
}

func TestUnsignedIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFunded(t)
		plan, err := f.check(t)
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := f.packet.UnsignedTx.Serialize(&buf); err != nil {
			t.Fatal(err)
		}
		if _, err := plan.checkSigned(buf.Bytes()); err == nil {
			t.Fatal("a transaction without signatures is accepted")
		}
	})
}

// TestSignedWeight compares the estimate with real signatures, which are at most
// three bytes shorter or one longer.
func TestSignedWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := drawFunded(t)
		estimate := signedWeight(f.packet.UnsignedTx)
		signPacket(f.packet, f.wallet.keys)
		tx, err := extractTx(f.packet)
		if err != nil {
			t.Fatal(err)
		}
		weight := int64(3*tx.SerializeSizeStripped() + tx.SerializeSize())
		if inputs := int64(len(tx.TxIn)); weight > estimate+inputs || weight < estimate-3*inputs {
			t.Fatalf("%d inputs weigh %d, estimated %d", inputs, weight, estimate)
		}
	})
}

func extractTx(packet *psbt.Packet) (*wire.MsgTx, error) {
	raw, err := extract(packet)
	if err != nil {
		return nil, err
	}
	tx := new(wire.MsgTx)

	return tx, tx.Deserialize(bytes.NewReader(raw))
}

func FuzzCheck(f *testing.F) {
	f.Add("")
	f.Add("cHNidP8BAAoCAAAAAAAAAAAAAA==")
	f.Fuzz(func(t *testing.T, text string) {
		check := funding{items: samplePlan().Items, feeCap: 1000, mine: txscript.IsWitnessProgram}
		if plan, err := check.check(text); err == nil {
			t.Errorf("accepted without a coin: %+v", plan)
		}
	})
}
