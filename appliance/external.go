package appliance

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dmpool/dmpool/appliance/bitcoind"
	"github.com/dmpool/dmpool/pool/node"
)

// ExternalNode is a node that somebody else runs. The box uses it and leaves it
// alone: it is never started, stopped or configured from here. The zero value is
// none: the box runs its own.
type ExternalNode struct {
	URL          string `json:"url"`                     // of its RPC, without a password
	CookieFile   string `json:"cookie_file,omitempty"`   // in which it leaves its password at each start; or
	User         string `json:"user,omitempty"`          // a user that it was given, with
	PasswordFile string `json:"password_file,omitempty"` // a file that holds the password and nothing else
	Password     string `json:"-"`                       // what is to go into that file; only while it is tried
}

// named tells whether there is one.
func (n ExternalNode) named() bool { return n != (ExternalNode{}) }

// check returns what is wrong with the answers on the command line, a sentence.
func (n ExternalNode) check() error {
	if !n.named() {
		return nil
	}
	u, err := url.Parse(n.URL)
	switch {
	case n.URL == "":
		return errors.New("--node-cookie-file, --node-user and --node-password-file say how to log in to a node; --node-url, where it is, is missing")
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return errors.New("--node-url is no address of a node; one looks like http://127.0.0.1:8332")
	case u.User != nil:
		return errors.New("--node-url holds a password, which every program on this machine could read; put it into a file for --node-password-file")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return errors.New("--node-url ends behind the port; the wallet is chosen by the box")
	case n.CookieFile != "" && (n.User != "" || n.PasswordFile != ""):
		return errors.New("the node has one login: give --node-cookie-file, or --node-user and --node-password-file")
	case n.CookieFile == "" && (n.User == "" || n.PasswordFile == ""):
		return errors.New("--node-url needs a login: give --node-cookie-file, or --node-user and --node-password-file")
	}
	return nil
}

// login returns how to talk to the node, with the password out of its file.
func (n ExternalNode) login() (node.Config, error) {
	c := node.Config{URL: n.URL, CookieFile: n.CookieFile, User: n.User, Password: n.Password}
	if n.PasswordFile == "" || n.Password != "" {
		return c, nil
	}
	text, err := os.ReadFile(n.PasswordFile)
	if err != nil {
		return c, fmt.Errorf("the file of --node-password-file cannot be read: %w", err)
	}
	c.Password = strings.TrimRight(string(text), "\r\n")
	if c.Password == "" {
		return c, fmt.Errorf("the file of --node-password-file, %s, is empty", n.PasswordFile)
	}
	return c, nil
}

// exposure warns of a login that crosses the home network in the clear, empty
// when it does not. Beyond that network nothing is sent, see [node.ErrExposed].
func (n ExternalNode) exposure() string {
	u, err := url.Parse(n.URL)
	if err != nil || u.Scheme == "https" || node.OnThisMachine(u.Hostname()) {
		return ""
	}
	return "The node is on another machine and the way to it is not encrypted: whoever listens on your network can read its password " +
		"and the wallet's passphrase. Use https:// or a tunnel unless you trust everything on that network."
}

// explain says what an error on the way to the node means for its owner.
func (n ExternalNode) explain(err error) string {
	switch {
	case errors.Is(err, node.ErrStarting):
		return fmt.Sprintf("There is no cookie in %s: the node at %s is not running, or keeps it elsewhere.", n.CookieFile, n.URL)
	case errors.Is(err, node.ErrCookie):
		return fmt.Sprintf("The cookie file %s is there, but this program's user may not read it. "+
			"Start the node with rpccookieperms=group and add this user to its group.", n.CookieFile)
	case errors.Is(err, node.ErrUnauthorized) && n.CookieFile != "":
		return fmt.Sprintf("The node at %s does not accept the cookie in %s; is it another node's?", n.URL, n.CookieFile)
	case errors.Is(err, node.ErrUnauthorized) && n.PasswordFile == "":
		return fmt.Sprintf("The node at %s does not accept the user %s with this password.", n.URL, n.User)
	case errors.Is(err, node.ErrUnauthorized):
		return fmt.Sprintf("The node at %s does not accept the user %s with the password in %s.", n.URL, n.User, n.PasswordFile)
	case errors.Is(err, node.ErrBadAnswer):
		return fmt.Sprintf("What answers at %s is no Bitcoin node, or not well.", n.URL)
	case errors.Is(err, node.ErrExposed), !errors.Is(err, node.ErrUnreachable):
		return node.Sentence(err)
	}
	return fmt.Sprintf("The node at %s does not answer. The box keeps asking; miners stay connected.", n.URL)
}

// abilitiesFor is how long what a node can do is taken to be still so: its owner
// may restart it with other settings in a moment that nobody sees.
const abilitiesFor = time.Minute

// abilities remembers what the node lets the pool do.
type abilities struct {
	mu    sync.Mutex
	now   []node.Ability
	until time.Time
}

func (b *abilities) read() []node.Ability {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// renew asks the node again when it is time.
func (b *abilities) renew(ctx context.Context, c *node.Client) error {
	b.mu.Lock()
	fresh := time.Now().Before(b.until)
	b.mu.Unlock()
	if fresh {
		return nil
	}
	now, err := c.Abilities(ctx)
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now, b.until = now, time.Now().Add(abilitiesFor)
	return nil
}

// forget makes the next renew ask: who answers then may be another node.
func (b *abilities) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = time.Time{}
}

// watchExternal makes the runner of a node that is not ours.
func (a *Appliance) watchExternal() *bitcoind.External {
	n := a.config.External
	a.log.Info("Using a node that somebody else runs", "node", n.URL)
	if warning := n.exposure(); warning != "" {
		a.log.Warn("The way to the node is not encrypted", "node", n.URL, "text", warning)
	}
	return bitcoind.NewExternal(bitcoind.ExternalConfig{
		Address: n.URL, Probe: a.probeExternal, Warmup: warmingUp, Explain: n.explain, Logger: a.log,
	})
}

// probeExternal is probeNode for a node of which not even the settings are known.
func (a *Appliance) probeExternal(ctx context.Context) error {
	err := a.probeNode(ctx)
	if err == nil {
		err = a.abilities.renew(ctx, a.node)
	}
	if err != nil {
		a.abilities.forget()
	}
	return err
}

// lacking returns the sentence on the first thing that the node does not do and
// the pool cannot do without, empty when there is none.
func lacking(all []node.Ability) string {
	for _, b := range all {
		if b.Needed && !b.OK {
			return b.Text
		}
	}
	return ""
}
