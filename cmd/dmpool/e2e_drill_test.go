//go:build e2e

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dmpool/dmpool/appliance/drill"
	"github.com/dmpool/dmpool/pool/stratum/minersim"
)

// TestE2EDrill does fire drills beside a pool that serves a hundred miners: by the
// command, and by the button of its page. The miners do not notice: none loses its
// connection, and no share is rejected.
func TestE2EDrill(t *testing.T) {
	bitcoind := needed(t, "DMPOOL_BITCOIND")
	program, box := buildProgram(t), t.TempDir()
	d := startDemo(t, program, box, bitcoind)
	d.await("first-block", 2*time.Minute)
	pool, err := url.Parse(d.stratum)
	if err != nil {
		t.Fatal(err)
	}
	const miners = 100
	crowd := minersim.NewCrowd(pool.Host, "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx", miners)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- crowd.Run(ctx) }()
	eventually(t, "all miners are connected", func() bool { return crowd.Experience().FewestConnections == 1 })

	byCommand := runDrill(t, program, box, bitcoind)
	t.Logf("by the command, beside %d miners on a machine with the load %s:\n%s", miners, load(t), byCommand.Text())
	byButton := pressDrill(t, d)
	t.Logf("by the button: %s", byButton.Summary())
	eventually(t, "each miner has a share accepted", func() bool { return crowd.GoesOn(make([]uint64, miners)) })

	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	e := crowd.Experience()
	t.Logf("the miners: %+v", e)
	if e.MostConnections != 1 || e.Refused > 0 || len(e.Rejected) > 0 {
		t.Errorf("beside two drills: %+v", e)
	}
	d.stop(t)
	if left, err := filepath.Glob(filepath.Join(box, "drills", "scratch*")); err != nil || left != nil {
		t.Errorf("left of the drills: %v, %v", left, err)
	}
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 600 {
		if done() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("not within a minute: %s", what)
}

// runDrill does a drill by the command, in the box's own data directory.
func runDrill(t *testing.T, program, box, bitcoind string) (r drill.Report) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "drill", "--json", "--data-dir", box, "--bitcoind", bitcoind)
	var out, said bytes.Buffer
	c.Stdout, c.Stderr = &out, &said
	if err := c.Run(); err != nil {
		t.Fatalf("dmpool drill: %v\n%s%s", err, &out, &said)
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Verdict != drill.Passed || r.Done() != len(r.Steps) {
		t.Fatalf("%v in\n%s", err, &out)
	}
	return r
}

// pressDrill presses the button, and waits for the page to show the end.
func pressDrill(t *testing.T, d *demoProcess) drill.Report {
	t.Helper()
	tab := openBrowser(t)
	signIn(t, tab, d, d.url)
	do(t, tab, "begin a drill",
		chromedp.Navigate(d.url+"/drill"),
		chromedp.WaitVisible("form[action='/drill']"),
		chromedp.Submit("form[action='/drill'] button"),
		chromedp.WaitVisible("#live-drill .drill"), // its steps
	)
	screenshot(t, tab, "drill")
	long, cancel := context.WithTimeout(tab, 5*time.Minute)
	defer cancel()
	if err := chromedp.Run(long, chromedp.WaitVisible("form[action='/drill']")); err != nil { // comes back by itself
		t.Fatalf("wait for the end of the drill: %v", err)
	}
	var said string
	do(t, tab, "read the result", chromedp.Text("#live-drills tbody tr", &said))
	screenshot(t, tab, "drilled")
	list, err := drill.In(d.box).Reports()
	if err != nil || len(list) != 2 || list[0].Verdict != drill.Passed || !strings.Contains(said, "passed") {
		t.Fatalf("the page says %q; %d reports, %v: %+v", said, len(list), err, list)
	}
	return list[0]
}

// load is how much the machine has to do.
func load(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// TestE2EDrillIsKilled kills a drill in the middle. Its node ends with it, and the next
// drill clears up.
func TestE2EDrillIsKilled(t *testing.T) {
	bitcoind := needed(t, "DMPOOL_BITCOIND")
	program, box := buildProgram(t), t.TempDir()
	c := exec.CommandContext(t.Context(), program, "drill", "--data-dir", box, "--bitcoind", bitcoind)
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // the first step is done: the node runs
		t.Fatal(err)
	}
	children := strings.Fields(childrenOf(t, c.Process.Pid))
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	if len(children) == 0 {
		t.Fatal("it had no node")
	}
	for _, pid := range children {
		eventually(t, "process "+pid+" ends with the drill", func() bool {
			_, err := os.Stat("/proc/" + pid)
			return errors.Is(err, os.ErrNotExist)
		})
	}
	if err := drill.In(box).Sweep(); err != nil { // as the next drill does, and the next start of the box
		t.Error(err)
	}
	list, err := drill.In(box).Reports()
	if err != nil || len(list) != 1 || list[0].Verdict != drill.Failed || !strings.Contains(list[0].Failure().Seen, "cut off") {
		t.Errorf("%v, %+v", err, list)
	}
	if left, err := filepath.Glob(filepath.Join(box, "drills", "scratch*")); err != nil || left != nil {
		t.Errorf("left of the drills: %v, %v", left, err)
	}
}
