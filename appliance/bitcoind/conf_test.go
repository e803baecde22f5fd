package bitcoind

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestRender(t *testing.T) {
	tests := map[string]Conf{
		"practice": {Network: NetworkPractice, Dir: "/pool/practice", RPCPort: 38000, ZMQPort: 38001},
		"regtest": {
			Network: NetworkRegtest, Dir: "/pool/regtest", RPCPort: 38000, ZMQPort: 38001,
			P2PPort: 38002, PruneMiB: 550, DBCacheMiB: 450,
		},
		"main":           {Network: NetworkMain, Dir: "/pool/main", RPCPort: 38000, ZMQPort: 38001, PruneMiB: 10_000, DBCacheMiB: 1024},
		"signet-offline": {Network: NetworkSignet, Dir: "/pool/signet", RPCPort: 38000, ZMQPort: 38001, Offline: true},
	}
	for name, conf := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := conf.Render()
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", name+".conf")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("Render (-want +got):\n%s", diff)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	good := Conf{Network: NetworkPractice, Dir: "/pool", RPCPort: 38000, ZMQPort: 38001}
	tests := []struct {
		name   string
		change func(*Conf)
		want   string // in the error; empty: no error
	}{
		{"good", func(*Conf) {}, ""},
		{"no network", func(c *Conf) { c.Network = "" }, "no network is named"},
		{"main", func(c *Conf) { c.Network = "main" }, ""},
		{"testnet4", func(c *Conf) { c.Network = "testnet4" }, ""},
		{"signet", func(c *Conf) { c.Network = "signet" }, ""},
		{"testnet3", func(c *Conf) { c.Network = "test" }, "is not known"},
		{"unknown network", func(c *Conf) { c.Network = "regtest\nrpcallowip=0.0.0.0/0" }, "is not known"},
		{"relative directory", func(c *Conf) { c.Dir = "pool" }, "not an absolute path"},
		{"no RPC port", func(c *Conf) { c.RPCPort = 0 }, "RPC port 0 is not between"},
		{"low port", func(c *Conf) { c.ZMQPort = 80 }, "ZMQ port 80 is not between"},
		{"high port", func(c *Conf) { c.P2PPort = 65536 }, "P2P port 65536 is not between"},
		{"same port", func(c *Conf) { c.ZMQPort = 38000 }, "ZMQ port 38000 is the RPC port too"},
		{"little pruning", func(c *Conf) { c.PruneMiB = 549 }, "minimum of 550"},
		{"negative pruning", func(c *Conf) { c.PruneMiB = -1 }, "minimum of 550"},
		{"little cache", func(c *Conf) { c.DBCacheMiB = 3 }, "minimum of 4"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			conf := good
			test.change(&conf)
			err := conf.Validate()
			switch {
			case test.want == "" && err != nil:
				t.Errorf("Validate = %v, want nil", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("Validate = %v, want %q", err, test.want)
			}
			if _, rendered := conf.Render(); (rendered == nil) != (err == nil) {
				t.Errorf("Render = %v although Validate = %v", rendered, err)
			}
		})
	}
}

func TestWriteClosesDirectoryAndFile(t *testing.T) {
	conf := Conf{Network: NetworkPractice, Dir: filepath.Join(t.TempDir(), "deep", "node"), RPCPort: 38000, ZMQPort: 38001}
	if err := os.MkdirAll(conf.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(conf.Path(), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := conf.Write(); err != nil {
		t.Fatal(err)
	}

	for path, want := range map[string]fs.FileMode{conf.Dir: 0o700 | fs.ModeDir, conf.Path(): 0o600} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("mode of %s = %v, want %v", path, info.Mode(), want)
		}
	}
	text, err := os.ReadFile(conf.Path())
	if err != nil {
		t.Fatal(err)
	}
	if want, _ := conf.Render(); string(text) != want {
		t.Errorf("bitcoin.conf =\n%s\nwant\n%s", text, want)
	}
}

func TestWriteLeavesOldFileWhenRefused(t *testing.T) {
	conf := Conf{Network: "test", Dir: t.TempDir(), RPCPort: 38000, ZMQPort: 38001}
	if err := os.WriteFile(conf.Path(), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := conf.Write(); err == nil {
		t.Fatal("Write = nil, want an error")
	}
	if text, _ := os.ReadFile(conf.Path()); string(text) != "old" {
		t.Errorf("bitcoin.conf = %q, want it untouched", text)
	}
}

func TestDataDirName(t *testing.T) {
	// 54d26fbd is what bitcoind derives for challenge 51 as the network magic.
	for network, want := range map[string]string{
		NetworkPractice: "practice-54d26fbd", NetworkRegtest: "regtest", NetworkMain: "main", NetworkSignet: "signet",
	} {
		if got := DataDirName(network); got != want {
			t.Errorf("DataDirName(%s) = %s, want %s", network, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "bitcoind")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho Bitcoin Core daemon version v31.1.0 bitcoind\necho more\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	broken := filepath.Join(dir, "broken")
	if err := os.WriteFile(broken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()

	tests := []struct {
		name, explicit, env, path string
		want                      string
		ok                        bool
	}{
		{"flag", program, broken, empty, program, true},
		{"wrong flag is no reason to look further", broken, program, dir, "", false},
		{"environment", "", program, empty, program, true},
		{"wrong environment", "", broken, dir, "", false},
		{"path", "", "", dir, program, true},
		{"nothing", "", "", empty, "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DMPOOL_BITCOIND", test.env)
			t.Setenv("PATH", test.path)
			got, err := Find(test.explicit)
			if got != test.want || (err == nil) != test.ok {
				t.Errorf("Find(%q) = %q, %v, want %q", test.explicit, got, err, test.want)
			}
			if test.name == "nothing" && !errors.Is(err, ErrNotFound) {
				t.Errorf("Find = %v, want ErrNotFound", err)
			}
		})
	}

	version, err := Version(t.Context(), program)
	if want := "Bitcoin Core 31.1.0"; version != want || err != nil {
		t.Errorf("Version = %q, %v, want %q", version, err, want)
	}
	if _, err := Version(t.Context(), "/bin/true"); err == nil {
		t.Error("Version of another program = nil error, want one")
	}
}
