package appliance

import (
	"os"
	"strings"
	"testing"
)

// A node that somebody else runs is tried before it is taken, and is the box's when
// the set-up is done.
func TestWizardTakesANode(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	other := newStranger(t)
	other.start()
	there := ExternalNode{URL: other.conf.RPCURL(), CookieFile: other.conf.CookieFile()}
	w := openWizard(t, dir)
	test := w.TestNode(ctx, "regtest", there)
	if !test.OK || test.Problem != "" || test.Version == "" {
		t.Errorf("TestNode() = %+v", test)
	}
	if test := w.TestNode(ctx, "main", there); test.OK || !strings.Contains(test.Problem, "on the chain regtest") {
		t.Errorf("on another network: %+v", test)
	}
	noCookie := there
	noCookie.CookieFile += "-away"
	if test := w.TestNode(ctx, "regtest", noCookie); test.OK || !strings.Contains(test.Problem, "no cookie in") {
		t.Errorf("without its cookie: %+v", test)
	}

	answers := wizardAnswers()
	answers[StepNode] = Answers{Node: nodeSettings{External: there, Download: true, PruneMiB: ptr(0)}}
	for _, step := range WizardSteps() {
		if err := w.Answer(ctx, step, answers[step]); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
	}
	if err := w.Finish(ctx); err != nil {
		t.Fatal(err)
	}
	a, err := w.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	if a.config.External != there {
		t.Errorf("the box uses %+v", a.config.External)
	}
	var wishes nodeSettings
	if _, err := a.readSetting(ctx, settingNode, &wishes); err != nil || wishes.Download || wishes.PruneMiB != nil {
		t.Errorf("a node that is not ours is to be %+v, %v", wishes, err)
	}
}

// A typed password goes into a file of its own and into no database.
func TestWizardKeepsTheNodesPassword(t *testing.T) {
	ctx := t.Context()
	other := newStranger(t)
	other.start()
	cookie, err := os.ReadFile(other.conf.CookieFile())
	if err != nil {
		t.Fatal(err)
	}
	user, password, _ := strings.Cut(strings.TrimSpace(string(cookie)), ":")
	w := openWizard(t, t.TempDir())
	if err := w.Answer(ctx, StepNetwork, Answers{Network: "regtest"}); err != nil {
		t.Fatal(err)
	}
	there := ExternalNode{URL: other.conf.RPCURL(), User: user, Password: password}
	if err := w.Answer(ctx, StepNode, Answers{Node: nodeSettings{External: there}}); err != nil {
		t.Fatal(err)
	}
	there.Password = "" // the form never gets it back
	if err := w.Answer(ctx, StepNode, Answers{Node: nodeSettings{External: there}}); err != nil {
		t.Errorf("once more: %v", err)
	}
	kept, err := os.ReadFile(w.dir.nodePassword())
	if err != nil || strings.TrimSpace(string(kept)) != password {
		t.Errorf("kept %v, %v", strings.TrimSpace(string(kept)) == password, err)
	}
	if info, err := os.Stat(w.dir.nodePassword()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v", info, err)
	}
	raw, err := os.ReadFile(w.dir.wizard() + "-wal")
	if err != nil || strings.Contains(string(raw), password) {
		t.Errorf("the password is in the database, %v", err)
	}
	there.Password = "wrong"
	if test := w.TestNode(ctx, "regtest", there); test.OK || !strings.Contains(test.Problem, "does not accept the user") {
		t.Errorf("wrong password: %+v", test)
	}
}

// What the wizard says of the machine is measured.
func TestWizardFacts(t *testing.T) {
	w := openWizard(t, t.TempDir())
	f, err := w.Facts(t.Context())
	if err != nil || f.Disk <= 0 || f.DiskFree > f.Disk || f.RAM <= 0 || f.Cores <= 0 || f.Address != "http://192.168.1.50:8080" {
		t.Errorf("Facts() = %+v, %v", f, err)
	}
	if keep, err := w.Recommended("practice"); err != nil || keep != 0 {
		t.Errorf("practice keeps %d, %v", keep, err)
	}
	if _, found := w.Neighbour(t.Context(), "practice"); found {
		t.Error("a private chain has a neighbour")
	}
}
