package bitcoind

import (
	"errors"
	"strings"
	"testing"
)

func TestDecide(t *testing.T) {
	tests := []struct {
		name, network    string
		total, free, ram int64
		want             Plan
	}{
		{"practice needs nothing", NetworkPractice, 1 * gb, 1 * gb, 1 * gib, Plan{}},
		{"regtest needs nothing", NetworkRegtest, 1 * gb, 1 * gb, 1 * gib, Plan{}},
		{"main on 2 TB", NetworkMain, 2000 * gb, 1900 * gb, 16 * gib, Plan{0, 1024}},
		{"main, all blocks just fit", NetworkMain, 2000 * gb, 1_141_200_000_000, 16 * gib, Plan{0, 1024}},
		{"main, all blocks just do not fit", NetworkMain, 2000 * gb, 1_141_199_999_999, 16 * gib, Plan{100_000, 1024}},
		{"main on 128 GB", NetworkMain, 128 * gb, 110 * gb, 8 * gib, Plan{59_127, 1024}},
		{"main on 64 GB", NetworkMain, 64 * gb, 58 * gb, 4 * gib, Plan{10_000, 1024}},
		{"main on the smallest disk", NetworkMain, 60 * gb, 40 * gb, 4*gib - 1, Plan{10_000, 450}},
		{"testnet4 is pruned", NetworkTestnet4, 4000 * gb, 4000 * gb, 2 * gib, Plan{100_000, 450}},
		{"testnet4 on a small disk", NetworkTestnet4, 30 * gb, 20 * gb, 2 * gib, Plan{10_000, 450}},
		{"signet on a large disk", NetworkSignet, 500 * gb, 133 * gb, 2 * gib, Plan{0, 450}},
		{"signet on a small disk", NetworkSignet, 128 * gb, 60 * gb, 2 * gib, Plan{30_517, 450}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := Decide(test.network, Machine{DiskTotal: test.total, DiskFree: test.free, RAM: test.ram})
			if got != test.want || err != nil {
				t.Errorf("Decide() = %+v, %v, want %+v", got, err, test.want)
			}
			if got.PruneMiB != 0 && got.PruneMiB < 550 {
				t.Errorf("bitcoind does not prune to %d", got.PruneMiB)
			}
		})
	}

	_, err := Decide(NetworkMain, Machine{DiskTotal: 60*gb - 1, DiskFree: 59 * gb, RAM: 8 * gib})
	if !errors.Is(err, ErrSmallDisk) || !strings.Contains(err.Error(), "it has 59 GB, and the node needs 60 GB") {
		t.Errorf("Decide() on a small disk: %v", err)
	}
}

func TestSurvey(t *testing.T) {
	m, err := Survey(t.TempDir())
	if err != nil || m.DiskFree <= 0 || m.DiskTotal < m.DiskFree || m.RAM < 64*mib {
		t.Errorf("Survey() = %+v, %v", m, err)
	}
	if _, err := Survey("/no/such/directory"); err == nil {
		t.Error("Survey() of nothing = nil error")
	}
}
