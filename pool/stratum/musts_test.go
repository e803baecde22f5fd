package stratum

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// musts says where each demand of the specification (stratum.md) is shown: a rule
// of section 0 or what a later section adds to them, and the tests, each with the
// folder of its package unless it is this one. TestMusts sees to it that they are
// there. For the rows of section 8 see rows_test.go.
var musts = []struct{ what, tests string }{
	{"0.1 extranonce1 of 4 bytes, extranonce2 of 8", "TestSubscribe"},
	{"0.2 rolling bits of a job's version are clear", "work.TestNewJob TestRolledVersion TestSubmitVectors"},
	{"0.3 no job id twice, no content twice", "TestRowsShares TestJobNumbersGoOn work.TestWithID"},
	{"0.4 a difficulty directly before a job, in one write", "TestFirstJobComesWithAuthorize TestOutboxDropsSuperseded FuzzConversation"},
	{"0.5 difficulty of the job, or less if the session's is lower", "TestDifficultyOfJob TestVardiffIgnoresOldJobs"},
	{"0.6 whole difficulties for all but the smallest", "TestLimits stratum/minersim.TestWholeDifficulties"},
	{"0.7 coinbase of 255 bytes", "work.TestDefaultCoinbaseIsSmall"},
	{"0.8 mining.notify in the first segment, probes are no abuse", "TestRowsHandshake"},
	{"0.9 ids byte by byte", "TestSubscribe TestHandshakeOrders"},
	{"0.10 id, result and error in every answer", "TestAnswers"},
	{"0.11 answers first and in order", "TestHandshakeOrders FuzzConversation"},
	{"0.12 true to extranonce.subscribe and suggest_difficulty", "TestAnswers"},
	{"0.13 short nonces, blanks in extranonce2", "TestSubmitFields"},
	{"0.14 a job every 30 s", "TestKeepAlive node.TestSourceRefreshesWithoutEvents"},
	{"0.15 the block first, in exact integers", "TestBlockFirst TestBlockAboveTheRate work.TestMeets"},
	{"0.16 heights 1 to 16", "work.TestHeightPush work.TestWitnessAtAllHeights"},
	{"0.17 no end for single bad shares, no ban at home", "TestStreak TestRemedies TestBans TestPublicAddr"},
	{"0.18 unknown members, all shapes of params", "TestAnswers TestHandshakeOrders"},
	{"0.19 first job with the handshake", "TestFirstJobComesWithAuthorize"},
	{"0.20 names in submit that were not authorised", "TestSubmitNames TestSubmitNamesAreBounded"},
	{"0.21 names that firmware cuts", ".TestParseUsername"},
	{"0.22 job memory", "TestJobMemory TestResumedJobsAreForgotten"},
	{"0.23 the full mask", "TestAnswers"},
	{"0.24 a new block is another previous block", "TestFirstJobComesWithAuthorize node.TestSourceFollowsTheTip"},

	{"1 framing", "TestLines TestBlankLineBehind FuzzLines"},
	{"1 answers of a client are ignored", "TestAnswers"},
	{"1.1 mining.submit in all shapes", "TestSubmitShapes FuzzSubmit"},
	{"1.1 mining.term", "TestMiningTerm"},
	{"1.2 what is never sent", "TestWhatIsSent"},
	{"1.3 handshakes of all firmware", "TestHandshakeOrders TestSuggestionBetweenSubscribeAndAuthorize stratum/minersim.TestDevices"},
	{"1.4 texts of 28 characters", "TestFaultTexts .TestRefusal"},
	{"2.1 encodings", "TestSwapWords FuzzParseNotify work.TestJobTimeIsNotBelowMinimum"},
	{"2.1 clean_jobs for a first job and a new tip only", "TestFirstJobComesWithAuthorize TestVardiffStopsFlood"},
	{"2.2 coinbase", "work.TestNewJobRefuses work.TestWitnessAgrees work.TestWitnessCatchesEveryByte work.TestNewJobWeighs"},
	{"2.3 order of the checks", "TestSubmitBeforeHandshake TestVersionBits work.TestJudgeOrder"},
	{"2.3 ntime", "work.TestJudgeTime work.TestJudgeMaxTime"},
	{"2.3 grace", "TestGrace"},
	{"2.3 duplicates, by what is hashed, of accepted shares only", "TestDuplicate work.TestSeenHoldsNoJunk work.TestSeenOnce"},
	{"2.3 a share that was not recorded is no duplicate", "TestLostShareCountsWhenSentAgain TestOnlyLostSharesCountAgain"},
	{"2.3 the block itself", "work.TestBlock work.TestBlockWithoutCommitment .TestBlockThatTheLedgerDidNotTakeSurvivesACrash"},
	{"3.2 vardiff", "TestVardiffConverges TestVardiffFollows TestVardiffStopsFlood TestPropose TestSilentMinerGetsEasierJobs"},
	{"3.2 never above the network", "TestCapped TestVardiffStaysAtNetwork TestDifficultyFollowsNetwork"},
	{"3.2 one change at a time", "TestSuggestAllTheTime"},
	{"3.2 half of what suited before", "TestMemoryOfRigs TestDifficultyIsNoted TestFamily"},
	{"3.3 start, precedence, passwords, ports", "TestFirstDifficulty TestClaims TestParsePassword .TestExtraPorts"},
	{"4 names", ".TestParseUsername .TestParseAddress TestNamelessWorker TestManyWorkers"},
	{"5 lines", "TestEarlyLineLimit TestSlowLine TestGarbage TestParseErrors"},
	{"5 handshake of 30 s", "TestHandshakeTimeout"},
	{"5 silence is no reason to close", "TestWorkless"},
	{"5 TCP", "TestSocketOptions TestSlowReader"},
	{"5 outbox", "TestOutboxOverflow TestOutboxDropsSuperseded"},
	{"5 places and arrivals", "TestMaxSessions TestMaxPerAddress TestPlacesAtHome TestArrivalsAreDelayed TestStrangersLeaveRoomToResume"},
	{"5 submit rate", "TestPace TestPaceOfStrangers TestDroppedSubmissionsAreForgotten"},
	{"5 bans", "TestBans"},
	{"5 resume", "TestResume TestResumeAfterNewTip TestResumeNeedsTheSameNetwork TestExtranonce1IsDrawn TestProbeIsNotKept stratum/minersim.TestResume"},
	{"5 restart", "TestHandshakeBeforeFirstJob TestResumeAfterRestart TestKeptSharesCountAfterRestart .TestBlockFoundDuringRestart"},
	{"5 node away", "TestPauseSendsMinersAway TestKeepAlive"},
	{"5 shutdown", "TestStopDrains TestStopIsBounded TestFoundAfterStop"},
	{"5 a slow miner delays nobody, a panic ends one session", "TestSlowReader TestPanicEndsOnlyItsSession TestPanicOutsideTheReader TestPublishSurvives"},
	{"6 sources of a new tip", "node.TestSourceFollowsTheTip node.TestTemplateBehindHint node.TestBitcoindZMQ"},
	{"6 bits that depend on the time", ".TestBoundTime TestKeepAliveFixedTime"},
	{"6 figures", "TestMetrics TestMetricsOfShares .TestMetricsOfANewTip"},
	{"7 rentals, proxies, TLS", "TestFirstDifficulty TestSubmitNames TestProxyHeader TestTLSPort"},
}

// What needs no test: a refused address is looked at again each time, without the
// cache of section 5, as that costs a microsecond on the goroutine of a session
// that lasts 30 seconds (session.go, handshakeTime). Ports listen on both IPv4 and
// IPv6 because appliance.Listen names no address.

// rows are those of section 8, as far as there are such numbers.
var rows = []int{
	1, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 27, 28, 29, 30, 32, 36, 38, 39, 40, 41,
	43, 44, 46, 47, 49, 50, 51, 52, 54, 56, 58, 59, 60, 62, 65, 66, 68,
}

func TestMusts(t *testing.T) {
	tests := map[string]bool{} // by folder and name
	function := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, dir := range []string{"", "work", "node", "stratum", "stratum/minersim"} {
		for _, text := range sources(t, filepath.Join("..", dir)) {
			for _, name := range function.FindAllStringSubmatch(text, -1) {
				tests[dir+"."+name[1]] = true
			}
		}
	}
	for _, must := range musts {
		for name := range strings.FieldsSeq(must.tests) {
			if !strings.Contains(name, ".") {
				name = "stratum." + name
			}
			if !tests[name] {
				t.Errorf("%s: there is no %s", must.what, name)
			}
		}
	}
	here := strings.Join(sources(t, "."), "\n")
	for _, row := range rows {
		if !regexp.MustCompile(fmt.Sprintf(`"row %d |row %[1]d  |row %[1]d, \d+  |row \d+, %[1]d  `, row)).MatchString(here) {
			t.Errorf("row %d of the specification is not shown", row)
		}
	}
}

// sources returns the test files of a folder.
func sources(t *testing.T, dir string) (texts []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(text))
	}
	return texts
}

func TestMiningTerm(t *testing.T) {
	inWorld(t, Config{}, &fakeBackend{}, func(w *world) {
		m := w.ready("x")
		m.send(request("7", "term", "[]") + "\n")
		if got := m.received(); got != nil || !m.closed() {
			t.Errorf("answered %q, closed %v", got, m.closed())
		}
	})
}

// Some firmware cuts what it is told at 28 characters, and some counts by it.
func TestFaultTexts(t *testing.T) {
	seen := map[string]bool{}
	for _, err := range []error{
		errMalformed, errExtranonce2, errTime, errNonce, errTimeRange, errVersionBits, errRateLimited, errNotSupported,
		errUnavailable, errJobNotFound, errStale, errDuplicate, errLowDifficulty, errUnauthorized, errTooManyNames,
		errBannedAddress, errBannedWorker, errBannedNetwork, errNotSubscribed, errNoMethod, errParse,
	} {
		text := err.Error()
		if len(text) > 28 || text == "" || seen[text] {
			t.Errorf("text %q has %d characters, or comes twice", text, len(text))
		}
		seen[text] = true
	}
}
