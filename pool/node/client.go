package node

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/dmpool/dmpool/pool/jsoncut"
)

const (
	// callTimeout is the deadline of a call whose context has none.
	callTimeout = 30 * time.Second

	// maxAnswer bounds what is read of one answer. A full block template is about 9 MB of JSON.
	maxAnswer = 64 << 20

	// idleTimeout is shorter than the 30 seconds after which bitcoind closes an idle connection (-rpcservertimeout),
	// so that a request is rarely written to a connection which is just being closed.
	idleTimeout = 20 * time.Second
)

// Config says where bitcoind's RPC server is and how to log in.
type Config struct {
	// URL is the address of the server, such as "http://127.0.0.1:8332". With http:// only this machine and private
	// networks are talked to, see ErrExposed.
	URL string

	// CookieFile is the file in which bitcoind leaves a new random password at each start. It is preferred over User
	// and Password, is read at the first call, and read again whenever the node refuses what it said before.
	CookieFile string

	// User and Password log in to a node that has been given fixed ones (rpcauth=). Used when CookieFile is empty.
	User, Password string

	// Wallet is the name of the wallet that all wallet calls go to. Empty means the node's only loaded wallet.
	Wallet string

	// Network is the network of the glossary that the node has to be on. Empty means the one that the node names, which
	// is looked at all the same.
	Network string
}

// Client calls one bitcoind. It is safe for concurrent use and holds no state but its connections, the last cookie
// that worked, and whether the node has been found to follow the right chain.
type Client struct {
	config Config
	wallet atomic.Pointer[string] // that wallet calls go to
	http   *http.Client
	id     atomic.Uint64
	trust  *trust  // shared with the clients of other wallets, as
	cookie *cookie // is this
	timing *timing // and this
}

// cookie is what was last read of the file of that name.
type cookie struct {
	mu    sync.Mutex
	login string // "user:password", empty before the first call
}

// New returns a client for the node described by c. It does no I/O: an unreachable node shows at the first call.
func New(c Config) *Client {
	// A password inside the URL would appear in errors of net/http.
	if u, err := url.Parse(c.URL); err == nil && u.User != nil {
		if c.User == "" {
			c.User = u.User.Username()
			c.Password, _ = u.User.Password()
		}
		u.User = nil
		c.URL = u.String()
	}
	c.URL = strings.TrimRight(c.URL, "/")

	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if !strings.HasPrefix(c.URL, "https://") {
		dialer.ControlContext = stayHome
	}
	client := &Client{
		config: c,
		trust:  new(trust),
		cookie: new(cookie),
		timing: new(timing),
		http: &http.Client{
			Transport: &http.Transport{
				// Never through a proxy: the environment must not decide who sees the cookie.
				Proxy:               nil,
				DialContext:         dialer.DialContext,
				MaxIdleConnsPerHost: 8,
				IdleConnTimeout:     idleTimeout,
				DisableCompression:  true,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	client.UseWallet(c.Wallet)

	return client
}

// stayHome refuses a connection that leaves the machine and its private network. It looks at the address that the name
// of the node was resolved to, at each connection.
func stayHome(_ context.Context, _, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrExposed, err)
	}
	if ip := to.Addr().Unmap(); ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast() {
		return nil
	}

	return ErrExposed
}

// Named are arguments by name. Passed as the only parameter of a call they are sent as a JSON object.
type Named map[string]any

// Call calls method with params and decodes the result into out; nil ignores it. A context without a deadline
// gets one of 30 seconds. See the package comment for the errors.
func (c *Client) Call(ctx context.Context, method string, out any, params ...any) error {
	return c.call(ctx, "/", method, out, params)
}

// WalletCall is Call for methods that act on the wallet of the configuration, or the one named with UseWallet since.
func (c *Client) WalletCall(ctx context.Context, method string, out any, params ...any) error {
	path := "/"
	if name := *c.wallet.Load(); name != "" {
		path = "/wallet/" + url.PathEscape(name)
	}

	return c.call(ctx, path, method, out, params)
}

// CloseIdle closes connections that no call uses at the moment.
func (c *Client) CloseIdle() {
	c.http.CloseIdleConnections()
}

func (c *Client) call(ctx context.Context, path, method string, out any, params []any) error {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}

	began := time.Now()
	err := c.roundTrip(ctx, path, method, out, params)
	c.timing.note(time.Since(began), err)

	return err
}

// roundTrip is call without the default deadline.
func (c *Client) roundTrip(ctx context.Context, path, method string, out any, params []any) (err error) {
	defer func() { c.trust.note(err) }()

	if err := c.admit(ctx, method); err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	body, err := c.encode(method, params)
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}

	status, answer, err := c.post(ctx, path, method, body)
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}

	result, err := decode(method, status, answer)
	if err != nil {
		return fmt.Errorf("call %s: %w", method, err)
	}
	if out == nil {
		out = new(any)
	}

	// A template has several megabytes; whoever wants it raw reads it in a better way, and finds out whether it is JSON.
	if raw, ok := out.(*json.RawMessage); ok {
		*raw = result
		return nil
	}
	if err := json.Unmarshal(result, out); err != nil {
		return fmt.Errorf("call %s: %w: %w", method, ErrBadAnswer, err)
	}

	return nil
}

func (c *Client) encode(method string, params []any) ([]byte, error) {
	request := struct {
		Version string `json:"jsonrpc"`
		ID      uint64 `json:"id"`
		Method  string `json:"method"`
		Params  any    `json:"params"`
	}{Version: "2.0", ID: c.id.Add(1), Method: method, Params: params}

	if params == nil {
		request.Params = []any{}
	}
	if len(params) == 1 {
		if named, ok := params[0].(Named); ok {
			request.Params = named
		}
	}

	return json.Marshal(request)
}

// post sends one request, and once more with a freshly read cookie when the node does not accept the old one: it has
// been restarted since.
func (c *Client) post(ctx context.Context, path, method string, body []byte) (int, []byte, error) {
	login, err := c.login("")
	if err != nil {
		return 0, nil, err
	}

	status, answer, err := c.postAs(ctx, login, path, method, body)
	if err != nil || status != http.StatusUnauthorized || c.config.CookieFile == "" {
		return status, answer, err
	}

	fresh, err := c.login(login)
	if err != nil {
		return 0, nil, err
	}
	if fresh == login {
		return status, answer, nil
	}
	c.trust.note(ErrUnauthorized)
	if err := c.admit(ctx, method); err != nil {
		return 0, nil, err
	}

	return c.postAs(ctx, fresh, path, method, body)
}

func (c *Client) postAs(ctx context.Context, login, path, method string, body []byte) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+path, bytes.NewReader(body))
	if err != nil {
		// The error would quote the address, which may contain a password.
		return 0, nil, fmt.Errorf("%w: its address is not a URL", ErrUnreachable)
	}

	user, password, _ := strings.Cut(login, ":")
	r.SetBasicAuth(user, password)
	r.Header.Set("Content-Type", "application/json")
	if repeatable(method) {
		// Lets net/http write the request again when a kept connection turns out to be closed. A nil value marks the
		// request without being sent.
		r.Header["Idempotency-Key"] = nil
	}

	resp, err := c.http.Do(r)
	if err != nil {
		return 0, nil, unreachable(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()

	// bitcoind says how long its answer is: a template of megabytes is read into its place, without growing.
	room := min(max(resp.ContentLength, 0), maxAnswer) + bytes.MinRead
	answer := bytes.NewBuffer(make([]byte, 0, room))
	if _, err := answer.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1)); err != nil {
		return 0, nil, unreachable(ctx, err)
	}
	if answer.Len() > maxAnswer {
		return 0, nil, fmt.Errorf("%w: longer than %d bytes", ErrBadAnswer, maxAnswer)
	}

	return resp.StatusCode, answer.Bytes(), nil
}

// login returns "user:password". The cookie is read from its file unless one is known that differs from refused.
func (c *Client) login(refused string) (string, error) {
	if c.config.CookieFile == "" {
		return c.config.User + ":" + c.config.Password, nil
	}

	c.cookie.mu.Lock()
	defer c.cookie.mu.Unlock()

	if c.cookie.login != "" && c.cookie.login != refused {
		return c.cookie.login, nil
	}

	content, err := readCookie(c.config.CookieFile)
	if errors.Is(err, os.ErrNotExist) {
		return "", ErrStarting
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrCookie, err)
	}

	// bitcoind renames the finished file into place, but an empty one is seen when the disk was full. What begins with
	// another user is no cookie: people type the path, and no other file's content goes to whoever answers at the URL.
	login := strings.TrimSpace(string(content))
	if !strings.HasPrefix(login, cookieUser+":") {
		return "", ErrStarting
	}
	c.cookie.login = login

	return login, nil
}

const (
	cookieUser = "__cookie__" // of every cookie that bitcoind writes
	maxCookie  = 1024         // bytes; a cookie has 75
)

// readCookie reads a file that is no larger than a cookie is. What is no file, such as a device that never ends or a
// pipe that nobody writes to, is not opened for long.
func readCookie(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is no file")
	}
	return io.ReadAll(io.LimitReader(f, maxCookie))
}

// repeatable reports whether a second delivery of method changes nothing that the first has not changed already.
func repeatable(method string) bool {
	switch method {
	case "getblocktemplate", "submitblock", "sendrawtransaction", "testmempoolaccept",
		"getbestblockhash", "getblockchaininfo", "getblockheader", "getblockhash", "getdeploymentinfo", "getnetworkinfo",
		"getmempoolinfo", "getchainstates",
		"getmempoolentry", "gettransaction", "listsinceblock", "listunspent", "listlockunspent", "getbalances",
		"getwalletinfo", "listwallets", "getaddressinfo", "finalizepsbt", "walletprocesspsbt", "walletlock",
		"estimatesmartfee", "uptime", "getrpcinfo", "getzmqnotifications":
		return true
	}

	return false
}

// decode takes the result out of an answer. A node answers JSON-RPC 2.0 errors with status 200 and older ones with
// 404 or 500, all with a JSON body; a body of another kind comes from the HTTP layer or from something that is no node.
// Whether the result is JSON shows when it is read.
func decode(method string, status int, answer []byte) (json.RawMessage, error) {
	switch status {
	case http.StatusUnauthorized:
		return nil, fmt.Errorf("%w: HTTP status %d", ErrUnauthorized, status)
	case http.StatusForbidden:
		return nil, fmt.Errorf("%w: HTTP status %d", ErrForbidden, status)
	case http.StatusServiceUnavailable:
		return nil, fmt.Errorf("%w: its queue of requests is full (HTTP status 503)", ErrUnreachable)
	}

	var envelope struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	result, rest, ok := jsoncut.Cut(answer, "result")
	if ok && json.Unmarshal(rest, &envelope) == nil {
		envelope.Result = result
	} else if err := json.Unmarshal(answer, &envelope); err != nil {
		return nil, fmt.Errorf("%w: no JSON (HTTP status %d)", ErrBadAnswer, status)
	}

	if envelope.Error != nil {
		return nil, &RPCError{Method: method, Code: envelope.Error.Code, Message: envelope.Error.Message}
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("%w: HTTP status %d without an error", ErrBadAnswer, status)
	}
	if envelope.Result == nil {
		return nil, fmt.Errorf("%w: no result", ErrBadAnswer)
	}

	return envelope.Result, nil
}
