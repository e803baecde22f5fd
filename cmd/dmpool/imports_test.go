package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dmpool/dmpool/"

// allowedImports is the plan of the house: cmd stands on webui, webui on
// appliance, appliance on pool, and what is not listed here is forbidden. Test
// files may look further.
func allowedImports() map[string][]string {
	return map[string][]string{
		"pool/jsoncut":                {},
		"pool/work":                   {"pool/jsoncut"},
		"pool/sqlite":                 {},
		"pool/node/guard":             {"pool/work"},
		"pool/node":                   {"pool/jsoncut", "pool/node/guard", "pool/work"},
		"pool/node/nodetest":          {"pool/node", "pool/work"},
		"pool/stratum":                {"pool/work"},
		"pool/stratum/minersim":       {},
		"pool/cpuminer":               {"pool/stratum", "pool/work"},
		"pool/shares":                 {"pool/sqlite"},
		"pool/ledger":                 {"pool/sqlite"},
		"pool/receipt":                {"pool/ledger", "pool/work"},
		"pool/payout":                 {"pool/sqlite", "pool/ledger", "pool/node"},
		"pool":                        {"pool/work", "pool/stratum", "pool/node", "pool/shares", "pool/ledger", "pool/payout"},
		"appliance/backup":            {},
		"appliance/backup/place":      {"appliance/backup"},
		"appliance/bitcoind":          {"appliance/bitcoind/laid"},
		"appliance/seed":              {},
		"appliance/logbook":           {},
		"appliance/support":           {"appliance/logbook", "appliance/seed"},
		"appliance/vitals":            {},
		"appliance/metrics":           {},
		"appliance/device":            {},
		"appliance/device/devicetest": {"appliance/device"},
		"appliance/alert":             {"pool/sqlite"},
		"appliance": {
			"appliance/alert", "appliance/backup", "appliance/backup/place", "appliance/bitcoind", "appliance/bitcoind/release", "appliance/bitcoind/snapshot", "appliance/device", "appliance/drill", "appliance/metrics", "appliance/seed", "appliance/support", "appliance/vitals", "pool", "pool/ledger", "pool/node", "pool/node/guard", "pool/payout", "pool/receipt", "pool/shares", "pool/sqlite", "pool/stratum", "pool/work",
		},
		"appliance/drill": {"appliance/bitcoind"},
		"appliance/rehearsal": {
			"appliance", "appliance/bitcoind", "appliance/drill", "appliance/logbook", "pool/cpuminer", "pool/ledger", "pool/node", "pool/payout", "pool/work",
		},
		"appliance/bitcoind/laid":     {},
		"appliance/bitcoind/release":  {"appliance/bitcoind/laid"},
		"appliance/bitcoind/snapshot": {},
		"appliance/systemd":           {"appliance/bitcoind"},
		"appliance/bootfile":          {},
		"cmd/dmpool-image":            {"appliance/bitcoind/laid", "appliance/bootfile"},
		"cmd/dmpool-node":             {"appliance/bitcoind", "appliance/bitcoind/release"},
		"appliance/faultdisk":         {},
		"packaging":                   {},
		"packaging/booted":            {},
		"packaging/bakecore":          {"appliance/bitcoind", "appliance/bitcoind/release"},
		"webui": {
			"appliance", "appliance/alert", "appliance/device", "appliance/drill", "appliance/logbook", "appliance/metrics", "appliance/support", "pool", "pool/ledger", "pool/node", "pool/payout", "pool/receipt", "pool/shares", "pool/sqlite", "pool/stratum", "pool/work",
		},
		"webui/browsertest": {},
		"cmd/stratumbench": {
			"appliance/bitcoind", "pool", "pool/ledger", "pool/node", "pool/node/nodetest", "pool/shares", "pool/sqlite", "pool/stratum", "pool/work",
		},
		"cmd/dmpool": {
			"webui", "packaging", "appliance", "appliance/bitcoind", "appliance/drill", "appliance/logbook", "appliance/rehearsal", "appliance/support", "appliance/systemd", "pool", "pool/cpuminer", "pool/ledger", "pool/node", "pool/payout", "pool/receipt", "pool/shares", "pool/sqlite", "pool/stratum", "pool/work",
		},
	}
}

// onlyIn names packages of the standard library that belong on one floor.
func onlyIn() map[string][]string {
	return map[string][]string{
		"os/exec":       {"appliance/bitcoind", "appliance/drill", "appliance/faultdisk", "cmd/stratumbench", "packaging/booted", "webui/browsertest"},
		"html/template": {"webui"},
		"database/sql":  {"pool/sqlite", "pool/shares", "pool/ledger", "pool/payout", "appliance", "appliance/alert", "webui"},
	}
}

// TestImports walks the module and fails on the first arrow that points up.
func TestImports(t *testing.T) {
	allowed, reserved := allowedImports(), onlyIn()
	for _, pkg := range listPackages(t) {
		name := strings.TrimPrefix(pkg.ImportPath, module)
		floor, known := allowed[name]
		if !known {
			t.Errorf("package %s has no place in the house; add it to architecture and to this test", name)
			continue
		}
		for _, imp := range pkg.Imports {
			if own, ok := strings.CutPrefix(imp, module); ok && !slices.Contains(floor, own) {
				t.Errorf("%s must not import %s", name, own)
			}
			if owners, ok := reserved[imp]; ok && !slices.Contains(owners, name) {
				t.Errorf("%s must not import %s, which belongs to %s", name, imp, strings.Join(owners, ", "))
			}
		}
	}
}

type listedPackage struct {
	ImportPath string
	Imports    []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listedPackage
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listedPackage
		err := dec.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
}
