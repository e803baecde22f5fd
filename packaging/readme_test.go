//go:build nspawn

package packaging

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/dmpool/dmpool/packaging/booted"
	"github.com/dmpool/dmpool/webui/browsertest"
)

const (
	boxAddress    = "192.168.1.50" // the one of the README
	ownerAddress  = "192.168.1.10"
	ownerPassword = "Correct horse, battery!"
)

// TestReadme follows the README's section on installing to the letter: its commands
// on a fresh Debian, and with a browser on another computer of the same network. With
// DMPOOL_SCREENSHOTS=folder it takes the README's pictures meanwhile.
//
// It goes on in a network namespace of its own, so that the two have the addresses of
// a home network whatever this machine's is.
func TestReadme(t *testing.T) {
	root := furnish(t, "TestInsideReadme")
	atHome(t, root)
	booted.Alone(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
	defer cancel()
	owner := exec.CommandContext(ctx, self, "-test.v", "-test.run", "^TestOwner$")
	owner.Env = append(os.Environ(), "DMPOOL_BOX="+root)
	owner.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	out, err := owner.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// atHome gives a root file system what a computer at home has: an address, and
// somebody with a download in a folder that nobody else may read.
func atHome(t *testing.T, root string) {
	t.Helper()
	file := os.Getenv("DMPOOL_DEB")
	for dir, mode := range map[string]os.FileMode{"home/anna": 0o700, "etc/systemd/system/multi-user.target.wants": 0o755} {
		if err := os.MkdirAll(filepath.Join(root, dir), mode); err != nil {
			t.Fatal(err)
		}
	}
	command(t, "cp", file, filepath.Join(root, "home/anna", filepath.Base(file)))
	const network = "[Match]\nName=host0\n[Network]\nAddress=" + boxAddress + "/24\n"
	if err := os.WriteFile(filepath.Join(root, "etc/systemd/network/10-home.network"), []byte(network), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/usr/lib/systemd/system/systemd-networkd.service",
		filepath.Join(root, "etc/systemd/system/multi-user.target.wants/systemd-networkd.service")); err != nil {
		t.Fatal(err)
	}
}

// TestOwner is the owner of the box, at another computer.
func TestOwner(t *testing.T) {
	root := os.Getenv("DMPOOL_BOX")
	if root == "" {
		t.Skip("it is run by TestReadme")
	}
	ctx, cancel := context.WithCancel(context.Background())
	machine := booted.Machine(ctx, root, "--network-veth", "--machine=dmpool")
	var console bytes.Buffer
	machine.Stdout, machine.Stderr = &console, &console
	if err := machine.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- machine.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			cancel()
		}
		booted.Judge(t, root, console.Bytes(), <-ended)
		cancel()
	})
	command(t, "ip", "link", "set", "lo", "up")
	waitFor(t, "there is a cable", func() bool { _, err := net.InterfaceByName("ve-dmpool"); return err == nil })
	command(t, "ip", "address", "add", ownerAddress+"/24", "dev", "ve-dmpool")
	command(t, "ip", "link", "set", "ve-dmpool", "up")

	said := await(t, root, "installed")
	page := regexp.MustCompile(`http://\S+/setup`).FindString(said)
	code := regexp.MustCompile(`claim code +(\S+)`).FindStringSubmatch(said)
	if page != "http://"+boxAddress+":8080/setup" || code == nil {
		t.Fatalf("the installation does not say where to go on:\n%s", said)
	}
	tab := browsertest.Open(t, 1280, 900)
	answers(t, tab, page, code[1])
	mines(t, tab, filepath.Join(root, "usr/bin/dmpool"))
	if err := os.WriteFile(filepath.Join(root, "test/seen"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

// await waits for the test inside to have written a file.
func await(t *testing.T, root, name string) (text string) {
	t.Helper()
	waitFor(t, "the file "+name+" is there", func() bool {
		read, err := os.ReadFile(filepath.Join(root, "test", name))
		text = string(read)
		return err == nil
	})
	return text
}

// answers goes through the wizard.
func answers(t *testing.T, tab context.Context, page, code string) {
	t.Helper()
	set := func(field, text string) chromedp.Action { return chromedp.SetValue(field, text, chromedp.ByQuery) }
	browse(t, tab, "open "+page, chromedp.Navigate(page), chromedp.WaitVisible("#code", chromedp.ByQuery))
	for _, step := range []struct {
		name string
		do   chromedp.Tasks
	}{
		{"welcome", chromedp.Tasks{chromedp.SendKeys("#code", code, chromedp.ByQuery)}},
		{"start", nil},
		{"operator", chromedp.Tasks{set("#user", "anna"), set("#password", ownerPassword), set("#again", ownerPassword)}},
		{"check", nil},
		{"network", nil},
		{"node", nil},
		{"rules", nil},
		{"wallet", nil},
		{"access", nil},
		{"review", nil},
	} {
		body := ".page-setup_" + step.name
		browse(t, tab, "page "+step.name, chromedp.WaitVisible("body"+body+" .wizard-buttons .primary", chromedp.ByQuery))
		if step.name == "welcome" || step.name == "network" {
			picture(t, tab, "wizard-"+step.name)
		}
		browse(t, tab, "answer "+step.name, append(step.do, chromedp.Click(".wizard-buttons .primary", chromedp.ByQuery),
			chromedp.WaitVisible("body:not("+body+") h1", chromedp.ByQuery))...)
	}
	browse(t, tab, "sign in", chromedp.WaitVisible("body.page-login #user", chromedp.ByQuery),
		set("#user", "anna"), set("#password", ownerPassword), chromedp.Click("form[action='/login'] button[type=submit]", chromedp.ByQuery),
		chromedp.WaitVisible("body.page-connect h1", chromedp.ByQuery))
}

// mines points two miners at the address of the connect page, one after the other,
// and looks how the pages show them.
func mines(t *testing.T, tab context.Context, program string) {
	t.Helper()
	var text, url, user string
	const facts = ".connect-grid dl > div:nth-child"
	browse(t, tab, "read what to enter in a miner", chromedp.Text(facts+"(1) .big-code", &url, chromedp.ByQuery),
		chromedp.Text(facts+"(2) .big-code", &user, chromedp.ByQuery))
	if url != "stratum+tcp://"+boxAddress+":3333" {
		t.Errorf("the connect page says %q", url)
	}
	account := strings.TrimSuffix(user, "name")
	miner(t, program, url, account+"garage")
	waitFor(t, "the connect page shows the first share", func() bool {
		browse(t, tab, "look for the first share", chromedp.Text("#live-seen", &text, chromedp.ByQuery))
		return strings.Contains(text, "at work")
	})
	picture(t, tab, "connect")
	miner(t, program, url, account+"cellar")
	browse(t, tab, "open the dashboard", chromedp.Navigate("http://"+boxAddress+":8080/"), chromedp.WaitVisible("body.page-dashboard h1", chromedp.ByQuery))
	waitFor(t, "the dashboard shows both", func() bool {
		browse(t, tab, "look at the dashboard", chromedp.Text("#live-rates", &text, chromedp.ByQuery))
		return strings.Contains(text, "2 online")
	})
	if os.Getenv("DMPOOL_SCREENSHOTS") != "" {
		matures(t, tab)
		browse(t, tab, "make room for the money", chromedp.EmulateViewport(1280, 1160))
	}
	picture(t, tab, "dashboard")
}

// matures waits until the dashboard has something to show: the first reward belongs to
// the miners, after a hundred blocks on top of its own, and the chart has a line, after
// its first ten minutes.
func matures(t *testing.T, tab context.Context) {
	t.Helper()
	height := regexp.MustCompile(`at block (\d+)`)
	for limit := time.Now().Add(20 * time.Minute); ; time.Sleep(time.Second) {
		var text string
		var line bool
		browse(t, tab, "look at the height", chromedp.Text("#live-health", &text, chromedp.ByQuery),
			chromedp.Evaluate(`document.querySelector("#live-chart path.line") !== null`, &line))
		if at := height.FindStringSubmatch(text); at != nil && line {
			if n, err := strconv.Atoi(at[1]); err == nil && n > 105 {
				return
			}
		}
		if time.Now().After(limit) {
			t.Fatalf("the first reward does not mature, or no line is drawn (%t): %s", line, text)
		}
	}
}

// miner mines until the test is over.
func miner(t *testing.T, program, url, user string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, "miner", "-o", url, "-u", user, "-t", "1")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Wait() })
}

func browse(t *testing.T, tab context.Context, what string, actions ...chromedp.Action) {
	t.Helper()
	browsertest.Do(t, tab, time.Minute, what, actions...)
}
