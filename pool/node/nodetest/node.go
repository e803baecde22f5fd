package nodetest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
)

// Node is the fake. All methods may be called at any time by any goroutine.
type Node struct {
	URL        string // of the RPC server
	CookieFile string // in which the server's password stands

	tb TB

	mu       sync.Mutex
	chain    *chain
	changed  chan struct{} // closed and replaced when the tip changes or the node stops
	down     bool
	warmup   string
	login    string
	logins   int
	broken   []breakage
	failures map[string][]failure
	handlers map[string]Handler
	calls    map[string]int
	waiting  int // long polls
}

// Call is a request as a Handler sees it.
type Call struct {
	Wallet string // of the path /wallet/<name>, empty without
	Method string
	Params json.RawMessage // an array or an object
}

// Handler answers a method. An error that is an *Error becomes an RPC error; another one fails the test.
type Handler func(Call) (any, error)

// Error is the RPC error with which a call fails.
type Error struct {
	Code    int
	Message string
}

// Error returns the message.
func (e *Error) Error() string { return e.Message }

type failure struct {
	times int
	err   *Error
}

type breakage struct {
	status int
	body   string
}

// TB is what a node needs of the test that it belongs to. A *testing.T has it, and so has a program that measures.
type TB interface {
	Helper()
	TempDir() string
	Cleanup(end func())
	Errorf(format string, args ...any)
}

// New starts a node that has the genesis block of regtest. It ends with the test.
func New(tb TB) *Node {
	tb.Helper()

	n := &Node{
		CookieFile: filepath.Join(tb.TempDir(), ".cookie"),
		tb:         tb,
		chain:      newChain(),
		changed:    make(chan struct{}),
		failures:   make(map[string][]failure),
		handlers:   make(map[string]Handler),
		calls:      make(map[string]int),
	}
	n.newCookie()

	server := httptest.NewServer(n)
	n.URL = server.URL
	tb.Cleanup(func() {
		n.Stop()
		server.Close()
	})

	return n
}

// Fail lets the next times calls of method fail. Several scripts for one method follow one another.
func (n *Node) Fail(method string, times, code int, message string) {
	n.mu.Lock()
	defer n.mu.Unlock()

	n.failures[method] = append(n.failures[method], failure{times, &Error{code, message}})
}

// Break lets the next request, whatever it is, be answered by the HTTP layer alone.
func (n *Node) Break(status int, body string) {
	n.mu.Lock()
	defer n.mu.Unlock()

	n.broken = append(n.broken, breakage{status, body})
}

// Handle lets h answer method, also one that the fake knows itself. A nil h takes that back.
func (n *Node) Handle(method string, h Handler) {
	n.mu.Lock()
	defer n.mu.Unlock()

	n.handlers[method] = h
}

// Calls returns how often method was called, failures included.
func (n *Node) Calls(method string) int {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.calls[method]
}

// Waiting returns how many long polls wait.
func (n *Node) Waiting() int {
	n.mu.Lock()
	defer n.mu.Unlock()

	return n.waiting
}

// Stop lets the node go away: connections break without an answer, and the cookie file is gone. The chain stays.
func (n *Node) Stop() {
	n.mu.Lock()
	defer n.mu.Unlock()

	n.down = true
	_ = os.Remove(n.CookieFile)
	n.wake()
}

// Start brings a stopped node back, with a new cookie. As long as warmup is not empty, every call fails with code -28
// and that text; Start again ends that.
func (n *Node) Start(warmup string) {
	n.mu.Lock()
	defer n.mu.Unlock()

	if n.down {
		n.newCookie()
	}
	n.down, n.warmup = false, warmup
}

// newCookie changes the password, as each start of bitcoind does. n.mu is held, or n is not shared yet.
func (n *Node) newCookie() {
	n.logins++
	n.login = fmt.Sprintf("__cookie__:%064x", n.logins)
	if err := os.WriteFile(n.CookieFile, []byte(n.login), 0o600); err != nil {
		n.tb.Errorf("nodetest: write cookie: %v", err)
	}
}

// wake ends the long polls. n.mu is held.
func (n *Node) wake() {
	close(n.changed)
	n.changed = make(chan struct{})
}

// ServeHTTP is the RPC server.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	down, login := n.down, n.login
	var broken *breakage
	if len(n.broken) > 0 && !down {
		broken, n.broken = &n.broken[0], n.broken[1:]
	}
	n.mu.Unlock()

	if down {
		panic(http.ErrAbortHandler) // closes the connection
	}
	if broken != nil {
		w.WriteHeader(broken.status)
		_, _ = w.Write([]byte(broken.body))

		return
	}
	if user, password, _ := r.BasicAuth(); user+":"+password != login {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}

	n.serveCall(w, r)
}

func (n *Node) serveCall(w http.ResponseWriter, r *http.Request) {
	var request struct {
		ID     json.RawMessage `json:"id"`
		Method string          `json:"method"`
		Params json.RawMessage `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}

	call := Call{Wallet: walletOf(r.URL.Path), Method: request.Method, Params: request.Params}
	result, failed := n.answer(r, call)

	n.mu.Lock()
	down := n.down
	n.mu.Unlock()
	if down {
		panic(http.ErrAbortHandler)
	}

	answer := map[string]any{"jsonrpc": "2.0", "id": request.ID}
	if failed != nil {
		answer["error"] = map[string]any{"code": failed.Code, "message": failed.Message}
	} else {
		answer["result"] = result
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(answer); err != nil && r.Context().Err() == nil {
		n.tb.Errorf("nodetest: answer %s: %v", call.Method, err)
	}
}
