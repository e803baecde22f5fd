package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// nodeFaults are the bad inputs and faults that node and wallet have to survive, and
// the test that shows each of them: Package.TestName, or with a part of that test
// behind a slash, as its table names it.
func nodeFaults() map[string][]string {
	return map[string][]string{
		"not a tarball":                   {"release.TestUnpackRefusesWhatIsNoArchive", "appliance.TestBoxWaitsForBitcoinCore"},
		"hostile tarball":                 {"release.TestUnpackRefuses", "release.TestUnpackBomb", "release.TestUnpackLeavesLinks"},
		"wrong platform":                  {"bitcoind.TestRunsSaysWhyNot/another machine", "release.TestInstallNeedsARunningProgram"},
		"glibc too old":                   {"bitcoind.TestRunsOnATooOldSystem", "bitcoind.TestRunsSaysWhyNot/libstdc++ too old"},
		"no space in a download":          {"release.TestDownloadOntoAFullDisk", "release.TestFullDisk"},
		"port in use":                     {"bitcoind.TestChildNamesTheTakenPort", "bitcoind.TestClassify/RPC port taken"},
		"second instance":                 {"bitcoind.TestRealNodeSecondInstance", "bitcoind.TestChildWaitsForPredecessor"},
		"bitcoin.conf broken by hand":     {"bitcoind.TestRealNodeConfigurationBrokenByHand"},
		"datadir of another chain":        {"bitcoind.TestRealNodeInAnotherChainsDirectory"},
		"datadir of another node program": {"bitcoind.TestRealNodeInAnotherImplementationsDirectory"},
		"corrupted chainstate":            {"bitcoind.TestRealNodeRepairsDamageOnce/chainstate", "appliance.TestNodeRepairOfTheBox"},
		"corrupted block index":           {"bitcoind.TestRealNodeRepairsDamageOnce/blocks/index"},
		"corrupted wallet.dat":            {"appliance.TestWalletOfWords/damaged wallet.dat", "appliance.TestRestoreFromUpload"},
		"kill -9 at start":                {"bitcoind.TestRealNodeKilledAtAnyMoment"},
		"kill -9 in IBD":                  {"bitcoind.TestRealNodeKilledAtAnyMoment"},
		"kill -9 while flushing":          {"bitcoind.TestRealNodeKilledAtAnyMoment", "bitcoind.TestRealNodeFinishesRepair"},
		"power cut at the first start":    {"bitcoind.TestRealNodeAfterAPowerCutAtItsFirstStart"},
		"disk full":                       {"bitcoind.TestRealNodeOnAFullDisk", "bitcoind.TestNodeStopsBeforeDiskIsFull", "appliance.TestBoxOnAFullDisk", "appliance.TestBallastIsTheLastStep"},
		"read-only remount":               {"bitcoind.TestRealNodeOnAReadOnlyDisk", "appliance.TestBoxOnAReadOnlyDisk"},
		"clock 3 h ahead":                 {"bitcoind.TestRealNodeWithAWrongClock/3 hours ahead, then right", "appliance.TestClockWarning", "payout.TestFault48ClockJumps"},
		"clock 1 year back":               {"bitcoind.TestRealNodeWithAWrongClock/1 year back", "work.TestJudgeTime/our clock a year behind, rolled", "payout.TestFault48RestartWithAnOldClock"},
		"cookie unreadable":               {"appliance.TestExternalNodeFaults/cookie unreadable"},
		"401":                             {"appliance.TestExternalNodeFaults/401 cookie of another node", "appliance.TestExternalNodeFaults/401 wrong password", "appliance.TestExternalRealNodeRefuses"},
		"403":                             {"appliance.TestExternalNodeFaults/403", "node.TestBitcoindAbilities/no blocks on the whitelist"},
		"503":                             {"appliance.TestExternalNodeFaults/503", "appliance.TestExternalRealNodeRefuses"},
		"HTML":                            {"appliance.TestExternalNodeFaults/HTML"},
		"half an answer":                  {"appliance.TestExternalNodeFaults/half an answer"},
		"node upgraded":                   {"appliance.TestCoreFromNothing", "release.TestSwitch", "release.TestJudge"},
		"node downgraded":                 {"appliance.TestCoreFromNothing", "release.TestBack"},
		"external node gone for a day":    {"appliance.TestExternalNodeAwayForADay", "pool.TestMinersWaitForNodeThatFellBehind"},
		"external node changes chain":     {"appliance.TestExternalNodeAnotherChain/another chain", "pool.TestGuardStopsTheJobs"},
		"external node lies":              {"appliance.TestExternalNodeAnotherChain/headers that are not its own", "appliance.TestExternalNodeAnotherChain/headers of another length"},
		"words with a typo":               {"appliance.TestWalletOfWords/words with a typo", "seed.TestWordsWithATypo"},
		"words in another language":       {"appliance.TestWalletOfWords/words in another language"},
		"words of another wallet":         {"appliance.TestWalletOfWords/words of another wallet"},
		"wallet file of another network":  {"appliance.TestRestoreFromUpload/another network's"},
	}
}

// TestEveryNodeFaultHasATest fails when a test that shows a fault has vanished, or the
// part of it that does.
func TestEveryNodeFaultHasATest(t *testing.T) {
	files := map[string]string{} // by package and test: the text of the file
	name := regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)
	err := filepath.WalkDir("../..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range name.FindAllSubmatch(text, -1) {
			files[filepath.Base(filepath.Dir(path))+"."+string(found[1])] = string(text)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for fault, tests := range nodeFaults() {
		for _, test := range tests {
			function, part, _ := strings.Cut(test, "/")
			text, there := files[function]
			if !there || part != "" && !strings.Contains(text, `"`+part+`"`) {
				t.Errorf("%s: there is no %s", fault, test)
			}
		}
	}
}
