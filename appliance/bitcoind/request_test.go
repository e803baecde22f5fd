package bitcoind

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const goodRequest = `{"rpc_port":18000,"zmq_port":18001,"prune_mib":10000,"dbcache_mib":450,"offline":false,"repair":""}`

func TestParseRequest(t *testing.T) {
	tests := map[string]struct{ text, problem string }{
		"good":              {goodRequest, ""},
		"with repair":       {strings.Replace(goodRequest, `"repair":""`, `"repair":"-reindex"`, 1), ""},
		"least":             {`{"rpc_port":1024,"zmq_port":65535}`, ""},
		"empty":             {"", "EOF"},
		"no object":         {`[]`, "cannot unmarshal"},
		"two of them":       {goodRequest + goodRequest, "more than one"},
		"unknown option":    {`{"rpc_port":18000,"zmq_port":18001,"blocknotify":"touch /tmp/x"}`, "unknown field"},
		"directory":         {`{"rpc_port":18000,"zmq_port":18001,"Dir":"/etc"}`, "unknown field"},
		"text as a number":  {`{"rpc_port":"18000\nblocknotify=x","zmq_port":18001}`, "cannot unmarshal"},
		"other repair":      {`{"rpc_port":18000,"zmq_port":18001,"repair":"-blocknotify=x"}`, "no repair"},
		"repair and more":   {`{"rpc_port":18000,"zmq_port":18001,"repair":"-reindex\n-x"}`, "no repair"},
		"no port":           {`{"zmq_port":18001}`, "RPC port 0"},
		"system's port":     {`{"rpc_port":22,"zmq_port":18001}`, "RPC port 22"},
		"port too high":     {`{"rpc_port":65536,"zmq_port":18001}`, "RPC port 65536"},
		"one port twice":    {`{"rpc_port":18000,"zmq_port":18000}`, "is the RPC port too"},
		"half a port":       {`{"rpc_port":18000.5,"zmq_port":18001}`, "cannot unmarshal"},
		"pruned too much":   {`{"rpc_port":18000,"zmq_port":18001,"prune_mib":100}`, "minimum of 550"},
		"pruned to manual":  {`{"rpc_port":18000,"zmq_port":18001,"prune_mib":1}`, "minimum of 550"},
		"negative":          {`{"rpc_port":18000,"zmq_port":18001,"prune_mib":-1}`, "minimum"},
		"pruned to nothing": {`{"rpc_port":18000,"zmq_port":18001,"prune_mib":10000001}`, "above"},
		"too large a cache": {`{"rpc_port":18000,"zmq_port":18001,"dbcache_mib":65537}`, "above"},
		"too long":          {goodRequest + strings.Repeat(" ", maxRequest), "longer"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ParseRequest([]byte(test.text))
			if test.problem == "" && err != nil || test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)) {
				t.Errorf("ParseRequest = %v, want %q", err, test.problem)
			}
		})
	}
}

// Whatever is accepted makes the options that the generator knows, each once, and
// no other.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte(goodRequest), 0)
	f.Add([]byte(`{"rpc_port":18000,"zmq_port":18001,"repair":"-reindex-chainstate"}`), 3)
	f.Add([]byte(`{"rpc_port":18000,"zmq_port":18001,"repair":"-reindex\nblocknotify=x"}`), 1)
	known := map[string]bool{}
	for _, network := range Networks() {
		for _, offline := range []bool{false, true} {
			text, err := Request{RPCPort: 18000, ZMQPort: 18001, Offline: offline}.conf(Places{}, network).Render()
			if err != nil {
				f.Fatal(err)
			}
			for line := range strings.Lines(text) {
				known[option(line)] = true
			}
		}
	}
	f.Fuzz(func(t *testing.T, request []byte, n int) {
		r, err := ParseRequest(request)
		if err != nil {
			return
		}
		network := Networks()[uint(n)%uint(len(Networks()))]
		text, err := r.conf(Places{}, network).Render()
		if err != nil {
			t.Fatalf("accepted %q, but: %v", request, err)
		}
		seen := map[string]bool{}
		for line := range strings.Lines(text) {
			name := option(line)
			if !known[name] || seen[name] && name != "" {
				t.Fatalf("%q makes the line %q", request, line)
			}
			seen[name] = true
		}
	})
}

// option returns the name in a line of bitcoin.conf, "" for what is none.
func option(line string) string {
	if strings.HasPrefix(line, "#") || strings.HasPrefix(line, "[") {
		return ""
	}
	name, _, _ := strings.Cut(strings.TrimSpace(line), "=")
	return name
}

func TestApply(t *testing.T) {
	f := newFakeServices(t)
	p := f.places
	conf := p.Conf(NetworkRegtest)
	write := func(text string) {
		t.Helper()
		if err := replace(p.request(NetworkRegtest), []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"rpc_port":18000,"zmq_port":18001,"repair":"-reindex"}`)
	if err := p.Apply(NetworkRegtest); err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(conf.File)
	if err != nil || !strings.Contains(string(first), "rpccookiefile="+conf.Cookie+"\n") || strings.Contains(string(first), "nodebuglogfile") {
		t.Errorf("options (%v):\n%s", err, first)
	}
	if about, err := os.Stat(conf.File); err != nil || about.Mode().Perm() != 0o600 {
		t.Errorf("options are %v (%v), want them for one user alone", about.Mode(), err)
	}
	if r := readRepair(conf.markFile()); r != RepairBlocks {
		t.Errorf("order = %q", r)
	}

	for name, spoil := range map[string]func() error{
		"nonsense": func() error { return replace(p.request(NetworkRegtest), []byte(`{"walletnotify":"x"}`), 0o640) },
		"link": func() error {
			other := filepath.Join(p.Requests(), "other")
			return fmtErr(os.WriteFile(other, []byte(goodRequest), 0o640), os.Remove(p.request(NetworkRegtest)), os.Symlink(other, p.request(NetworkRegtest)))
		},
		"pipe": func() error {
			return fmtErr(os.Remove(p.request(NetworkRegtest)), unix.Mkfifo(p.request(NetworkRegtest), 0o640))
		},
	} {
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		if err := p.Apply(NetworkRegtest); err == nil {
			t.Errorf("Apply of a %s = nil, want an error", name)
		}
		if now, err := os.ReadFile(conf.File); err != nil || string(now) != string(first) {
			t.Errorf("after a %s the options are (%v):\n%s", name, err, now)
		}
	}
	for _, network := range []string{"", "../main", "main/../signet", "test", "practice\n"} {
		for what, f := range map[string]func(string) error{
			"Apply": p.Apply, "ShareCopies": p.ShareCopies, "SpeakTo": p.SpeakTo,
			"Launch": func(n string) error { return p.Launch(n, "/bin/true") },
			"Report": func(n string) error { _, err := p.Report(n, os.Getenv); return err },
		} {
			if err := f(network); err == nil || !strings.Contains(err.Error(), "is not known") {
				t.Errorf("%s(%q) = %v, want that the network is not known", what, network, err)
			}
		}
	}
}

func fmtErr(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return fmt.Errorf("spoil request: %w", err)
		}
	}
	return nil
}

func TestShareCopies(t *testing.T) {
	f := newFakeServices(t)
	dir := f.places.Copies(NetworkRegtest)
	at := func(name string) string { return filepath.Join(dir, name) }
	secret := filepath.Join(f.places.Conf(NetworkRegtest).Dir, "wallet.dat")
	if err := f.places.ShareCopies(NetworkRegtest); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		os.WriteFile(secret, []byte("keys"), 0o600),
		os.WriteFile(at("2026-11-23-dmpool-regtest.wallet"), []byte("copy"), 0o600),
		os.WriteFile(at("new.tmp"), []byte("copy"), 0o600),
		os.WriteFile(at("notes.txt"), nil, 0o600),
		os.Symlink(secret, at("link.wallet")),
		os.Link(secret, at("second.wallet")),
		os.MkdirAll(at("trial/deep"), 0o700),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := f.places.ShareCopies(NetworkRegtest); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		dir: 0o770, secret: 0o600, at("2026-11-23-dmpool-regtest.wallet"): 0o640, at("new.tmp"): 0o640, at("notes.txt"): 0o600,
	} {
		about, err := os.Stat(path)
		if err != nil || about.Mode().Perm() != want {
			t.Errorf("%s is %v (%v), want %v", path, about.Mode().Perm(), err, want)
		}
	}
	if _, err := os.Stat(at("trial")); !os.IsNotExist(err) {
		t.Errorf("the trial is still there: %v", err)
	}

	options := filepath.Dir(f.places.Conf(NetworkRegtest).File)
	if err := fmtErr(os.RemoveAll(dir), os.Symlink(options, dir)); err != nil {
		t.Fatal(err)
	}
	if err := f.places.ShareCopies(NetworkRegtest); err == nil {
		t.Error("a link in place of the folder was followed")
	}
	if about, err := os.Stat(options); err != nil || about.Mode().Perm() == 0o770 {
		t.Errorf("the folder of the options is %v (%v)", about.Mode(), err)
	}
}
