package appliance

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool"
	"github.com/dmpool/dmpool/pool/node"
)

// Facts are what the wizard found out about the machine by itself.
type Facts struct {
	Disk, DiskFree int64 // bytes, of the file system that the node's chain is going to lie on
	RAM            int64 // bytes
	Cores          int
	Clock          bool   // the kernel says that something keeps its clock right
	Address        string // of the pages in the home network
	Lonely         bool   // there is no home network: only this machine can reach the box
	StratumPort    int
	Program        string // name and version of a bitcoind that is here and follows the chosen network, empty: none
	Named          bool   // the node, or its program, was named at the start
	Core           string // version of Bitcoin Core that can be downloaded
}

// Facts looks at the machine.
func (w *Wizard) Facts(ctx context.Context) (Facts, error) {
	draft, err := w.Draft(ctx)
	if err != nil {
		return Facts{}, err
	}
	m, err := bitcoind.Survey(w.config.nodeDisk(w.dir, draft.Network))
	if err != nil {
		return Facts{}, err
	}
	f := Facts{
		Disk: m.DiskTotal, DiskFree: m.DiskFree, RAM: m.RAM, Cores: runtime.NumCPU(), Clock: clockKept(),
		Address: w.address, Lonely: len(lanAddresses()) == 1, StratumPort: portOf(w.config.Stratum),
		Named: w.nodeNamed(),
	}
	f.Program = w.program(ctx, draft.Network, f.Named)
	if core := w.Core(); len(core.Choices) > 0 {
		f.Core = core.Choices[0]
	}
	return f, nil
}

// program names what the node is going to run, as coreKeeper.locate chooses it.
func (w *Wizard) program(ctx context.Context, network string, named bool) string {
	if v, err := w.core.folder.Current(); err == nil && !v.IsZero() && !named {
		return "Bitcoin Core " + v.String()
	}
	find := func() (string, error) { return bitcoind.Find(w.config.Bitcoind) }
	if w.config.Service != nil {
		find = w.config.Service.bundledNode
	}
	path, err := find()
	if err != nil {
		return ""
	}
	said, err := bitcoind.Version(ctx, path)
	if err != nil || !named && bitcoind.Leaves(said, network) { // see coreKeeper.found
		return ""
	}
	return said
}

// nodeNamed tells whether the node, or its program, was named at the start.
func (w *Wizard) nodeNamed() bool {
	c := w.config
	return c.External.named() || c.Bitcoind != "" || os.Getenv("DMPOOL_BITCOIND") != "" && c.Service == nil
}

// clockKept asks the kernel whether its clock is kept right (adjtimex(2)).
func clockKept() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}

// Neighbour is a node that runs on this machine already.
type Neighbour struct {
	URL        string
	CookieFile string // that this program may read, empty: none was found
}

// Neighbour looks for a node of a network on this machine.
func (w *Wizard) Neighbour(ctx context.Context, network string) (Neighbour, bool) {
	n, useful := neighbourOf(network)
	if !useful {
		return Neighbour{}, false
	}
	return n.find(ctx)
}

// NodeTest is how a node answered.
type NodeTest struct {
	OK       bool
	Problem  string // why the pool cannot use it, a sentence
	Version  string
	Height   int32
	Progress float64 // of its verification, 0 to 1
	Syncing  bool
	Advice   []string // sentences on what it does not do and the pool can do without
}

// testTakes bounds the test of a node.
const testTakes = 15 * time.Second

// TestNode asks a node that somebody else runs for everything that the pool will
// want of it. It changes nothing there.
func (w *Wizard) TestNode(ctx context.Context, network string, n ExternalNode) NodeTest {
	if problem := n.typo(); problem != "" {
		return NodeTest{Problem: problem}
	}
	login, err := n.login()
	if err != nil {
		return NodeTest{Problem: node.Sentence(err)}
	}
	ctx, cancel := context.WithTimeout(ctx, testTakes)
	defer cancel()
	login.Network = network
	client := node.New(login)
	defer client.CloseIdle()
	failed := func(err error) NodeTest {
		if node.Refused(err) {
			return NodeTest{Problem: node.Sentence(err)}
		}
		if text, warming := warmingUp(err); warming {
			return NodeTest{Problem: "The node is starting and says: " + text + " Try again in a moment."}
		}
		return NodeTest{Problem: n.explain(err)}
	}
	info, err := client.NetworkInfo(ctx)
	if err != nil {
		return failed(err)
	}
	chain, err := client.BlockchainInfo(ctx)
	if err != nil {
		return failed(err)
	}
	if params, ok := pool.ChainParams(network); ok && !sameChain(chain.Chain, network) {
		return NodeTest{Problem: fmt.Sprintf("This node is on the chain %s; the pool is to use %s.", chain.Chain, params.Name)}
	}
	if err := client.Vouch(ctx); err != nil {
		return failed(err)
	}
	abilities, err := client.Abilities(ctx)
	if err != nil {
		return failed(err)
	}
	t := NodeTest{
		OK: true, Version: strings.Trim(info.Subversion, "/"), Height: chain.Blocks,
		Progress: chain.VerificationProgress, Syncing: chain.InitialBlockDownload,
	}
	for _, b := range abilities {
		switch {
		case b.OK:
		case b.Needed:
			return NodeTest{Problem: b.Text}
		default:
			t.Advice = append(t.Advice, b.Text)
		}
	}
	return t
}

// sameChain compares what getblockchaininfo says with a network of ours.
func sameChain(chain, network string) bool {
	if network == bitcoind.NetworkPractice {
		network = bitcoind.NetworkSignet
	}
	return chain == network
}

// typo returns what is wrong with what was typed about a node, a sentence.
func (n ExternalNode) typo() string {
	u, err := url.Parse(n.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return "The address of the node is not understood; one looks like http://127.0.0.1:8332."
	case u.User != nil:
		return "Leave the password out of the address of the node; it has a field of its own."
	case n.CookieFile == "" && n.User == "":
		return "The node needs a login: the file with its cookie, or a user and a password."
	case n.CookieFile != "" && n.User != "":
		return "The node has one login: give the file with its cookie, or a user and a password."
	case n.User != "" && n.Password == "" && n.PasswordFile == "":
		return "Type the password of the node's user."
	}
	return ""
}
