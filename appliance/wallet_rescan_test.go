package appliance

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dmpool/dmpool/pool/node"
	"github.com/dmpool/dmpool/pool/node/nodetest"
)

// TestRestoredWalletOnAPrunedNode: it reads what is there, and counts what is not.
// Without its passphrase it waits, and says for what.
func TestRestoredWalletOnAPrunedNode(t *testing.T) {
	ctx := t.Context()
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	a := open(t, filepath.Join(t.TempDir(), "box"))
	fake := nodetest.New(t)
	a.node = node.New(node.Config{URL: fake.URL, CookieFile: fake.CookieFile})
	t.Cleanup(a.node.CloseIdle)
	a.keys = &keyring{file: a.dir.passphrase("practice"), unlock: unlockAsk}
	a.log = slog.New(slog.DiscardHandler)
	a.wallet = newWalletKeeper(a, walletSettings{Name: "pool", Unlock: unlockAsk}, t.TempDir())

	read := int32(-1)
	answer := func(text string) nodetest.Handler {
		return func(nodetest.Call) (any, error) { return json.RawMessage(text), nil }
	}
	fake.Handle("getblockchaininfo", answer(`{"chain":"regtest","blocks":900,"headers":900,"bestblockhash":"0f9188f13cb7b2c71f2a335e3a4fc328bf5beb436012afca590b1a11466e2206","pruned":true,"pruneheight":600}`))
	fake.Handle("walletpassphrase", answer("null"))
	fake.Handle("walletlock", answer("null"))
	fake.Handle("listdescriptors", answer(`{"descriptors":[{"desc":"wpkh(public)"}]}`))
	fake.Handle("scantxoutset", answer(`{"success":true,"total_amount":7.50000000}`))
	fake.Handle("getbalances", answer(`{"mine":{"trusted":2.00000000,"untrusted_pending":0.00000000,"immature":0.50000000}}`))
	fake.Handle("rescanblockchain", func(c nodetest.Call) (any, error) {
		var from []int32
		err := json.Unmarshal(c.Params, &from)
		read = from[0]
		return struct{}{}, err
	})

	if err := a.wallet.rescan(ctx); err != nil || read >= 0 {
		t.Fatalf("a wallet that was not restored: %v, read from %d", err, read)
	}
	if err := a.saveSetting(ctx, settingRescan, walletRescan{From: 100}); err != nil {
		t.Fatal(err)
	}
	if err := a.wallet.rescan(ctx); err == nil || !strings.Contains(err.Error(), "type its passphrase") {
		t.Errorf("without the passphrase: %v", err)
	}
	a.keys.remember("a passphrase of the test")
	for range 2 {
		if err := a.wallet.rescan(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var r walletRescan
	if _, err := a.readSetting(ctx, settingRescan, &r); err != nil || r != (walletRescan{From: 100, Done: true, Missing: 5_0000_0000}) {
		t.Errorf("%+v, %v, want 5 BTC missing", r, err)
	}
	if read != 600 || fake.Calls("rescanblockchain") != 1 || fake.Calls("walletlock") != 1 {
		t.Errorf("read from %d, %d times, locked %d times; want once from 600", read, fake.Calls("rescanblockchain"), fake.Calls("walletlock"))
	}
}

// TestHeightOfAWalletsBirth: the chain is read from a day before the birth on, and
// never from later.
func TestHeightOfAWalletsBirth(t *testing.T) {
	a := open(t, filepath.Join(t.TempDir(), "box"))
	fake := nodetest.New(t)
	a.node = node.New(node.Config{URL: fake.URL, CookieFile: fake.CookieFile})
	t.Cleanup(a.node.CloseIdle)
	w := newWalletKeeper(a, walletSettings{Name: "pool"}, t.TempDir())
	a.keys, a.wallet = &keyring{}, w

	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const blocks = 200 // one each hour
	fake.Handle("getblockchaininfo", func(nodetest.Call) (any, error) { return map[string]any{"chain": "regtest", "blocks": blocks}, nil })
	fake.Handle("getblockhash", func(c nodetest.Call) (any, error) {
		var height []int
		err := json.Unmarshal(c.Params, &height)
		return fmt.Sprintf("%064x", height[0]), err
	})
	fake.Handle("getblockheader", func(c nodetest.Call) (any, error) {
		var args []any
		err := json.Unmarshal(c.Params, &args)
		height, _ := strconv.ParseInt(args[0].(string), 16, 64)
		at := start.Add(time.Duration(height) * time.Hour).Unix()
		return map[string]any{"hash": args[0], "height": height, "time": at, "mediantime": at, "bits": "207fffff"}, err
	})
	for _, v := range []struct {
		name string
		born time.Time
		want int32
	}{
		{"not known", time.Time{}, 0},
		{"before the chain", start.Add(-time.Hour), 0},
		{"in its middle", start.Add(100 * time.Hour), 76},
		{"just now", start.Add(blocks * time.Hour), blocks - 24},
		{"in the future", start.Add(10 * blocks * time.Hour), blocks},
	} {
		if got, err := w.heightAt(t.Context(), v.born); err != nil || got != v.want {
			t.Errorf("%s: height %d, %v, want %d", v.name, got, err, v.want)
		}
	}
}
