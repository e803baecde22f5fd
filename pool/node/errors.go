package node

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/dmpool/dmpool/pool/node/guard"
)

// Errors about the way to the node. None of them tells what became of the request.
var (
	// ErrStarting: the cookie file does not exist, so the node has not yet opened its RPC server, or is not running.
	ErrStarting = errors.New("node has not started yet")

	// ErrUnreachable: no connection, a broken one, or no answer before the deadline.
	ErrUnreachable = errors.New("node does not answer")

	// ErrUnauthorized: the node does not accept our cookie or password.
	ErrUnauthorized = errors.New("node refuses our login")

	// ErrForbidden: the node knows us and does not let us make this call (rpcwhitelist), or this machine none at all
	// (rpcallowip).
	ErrForbidden = errors.New("node forbids the call")

	// ErrCookie: the node's cookie file is there and cannot be read.
	ErrCookie = errors.New("cookie cannot be read")

	// ErrExposed: the way to the node leads over the Internet, and nothing on it is encrypted. Nothing was sent.
	ErrExposed = errors.New("the way to the node is public and not encrypted")

	// ErrBadAnswer: something answered that does not speak JSON-RPC as bitcoind does.
	ErrBadAnswer = errors.New("answer is not understood")
)

// ErrTemplate means that the node offers a block template which the pool must not use, or cannot.
var ErrTemplate = errors.New("template cannot be used")

// ErrNoEstimate means that the node has not seen enough blocks to estimate a fee rate.
var ErrNoEstimate = errors.New("node has no fee estimate yet")

// Codes of an RPCError, as in rpc/protocol.h of Bitcoin Core.
const (
	ErrCodeMisc            = -1  // an exception inside the call; also "Block not available (pruned data)"
	ErrCodeType            = -3  // an argument of the wrong type, also an amount out of range
	ErrCodeWallet          = -4  // unspecified wallet trouble: no fee estimate, dust, no such address type, too old for a pruned chain
	ErrCodeNotFound        = -5  // unknown block, transaction or address
	ErrCodeFunds           = -6  // not enough money
	ErrCodeParameter       = -8  // an argument out of range, also a coin that is locked already
	ErrCodeNotConnected    = -9  // no peers: no template on a chain that matters
	ErrCodeInitialDownload = -10 // still downloading the chain: no template
	ErrCodeNoLabel         = -11 // no address of the wallet has this label
	ErrCodeNeedPassphrase  = -13 // the wallet is locked
	ErrCodeWrongPassphrase = -14
	ErrCodeWrongEncryption = -15 // an encryption call on a wallet in the wrong state
	ErrCodeNoWallet        = -18 // the wallet does not exist or is not loaded
	ErrCodeWhichWallet     = -19 // several wallets are loaded and none was named
	ErrCodeDeserialization = -22 // the block or transaction cannot be decoded
	ErrCodeVerify          = -25 // refused, among others because an input is missing or spent
	ErrCodeRejected        = -26 // refused by the rules of consensus or policy
	ErrCodeInChain         = -27 // the transaction is confirmed already
	ErrCodeWarmup          = -28 // starting; the message says what the node is doing
	ErrCodeWalletLoaded    = -35 // the wallet is loaded already
	ErrCodeWalletExists    = -36 // a wallet of this name exists
	ErrCodeMethodNotFound  = -32601
)

// RPCError is an answer of the node that says no.
type RPCError struct {
	Method  string
	Code    int
	Message string
}

// Error returns the node's own words with its code.
func (e *RPCError) Error() string {
	return fmt.Sprintf("%s (%d)", e.Message, e.Code)
}

// Code returns the code of the RPCError in err's chain, and whether there is one.
func Code(err error) (int, bool) {
	rpc, ok := errors.AsType[*RPCError](err)
	if !ok {
		return 0, false
	}

	return rpc.Code, true
}

// IsCode reports whether err is an RPCError with this code.
func IsCode(err error, code int) bool {
	got, ok := Code(err)
	return ok && got == code
}

// Pruned reports whether the node refused a wallet because it has pruned blocks that the wallet has not read.
func Pruned(err error) bool {
	rpc, ok := errors.AsType[*RPCError](err)

	return ok && rpc.Code == ErrCodeWallet && strings.Contains(rpc.Message, "beyond pruned data")
}

// Unavailable reports whether err carries no information about the request itself, because the node, or the wallet
// in it, could not be asked: not running, starting, not reachable, not letting us in, wallet not loaded, answer
// not understood, not on our chain, or the caller's context over. The request may nevertheless have been carried out.
func Unavailable(err error) bool {
	if Refused(err) {
		return true
	}
	if code, ok := Code(err); ok {
		switch code {
		case ErrCodeWarmup, ErrCodeNoWallet, ErrCodeWhichWallet:
			return true
		}

		return false
	}

	for _, target := range []error{ErrStarting, ErrUnreachable, ErrUnauthorized, ErrForbidden, ErrCookie, ErrBadAnswer, context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, target) {
			return true
		}
	}

	return false
}

// Refused reports whether err says that the node follows another chain than the pool, see [Client.Vouch].
func Refused(err error) bool {
	_, refused := errors.AsType[*guard.RefusedError](err)
	return refused
}

// Sentence says in one sentence, for an operator, what err means. It returns the empty string for nil.
func Sentence(err error) string {
	if err == nil {
		return ""
	}

	if refused, ok := errors.AsType[*guard.RefusedError](err); ok {
		return refused.Error()
	}
	if waiting, ok := errors.AsType[*NotReadyError](err); ok {
		return "The Bitcoin node is not ready: " + waiting.Text
	}
	if rpc, ok := errors.AsType[*RPCError](err); ok {
		switch rpc.Code {
		case ErrCodeWarmup:
			return "The Bitcoin node is starting: " + full(rpc.Message)
		case ErrCodeNotConnected:
			return "The Bitcoin node has no connection to other nodes yet."
		case ErrCodeInitialDownload:
			return "The Bitcoin node is still downloading the block chain."
		case ErrCodeNoWallet:
			return "The pool's wallet is not loaded in the Bitcoin node."
		case ErrCodeWhichWallet:
			return "The Bitcoin node has several wallets open and was not told which one is the pool's."
		case ErrCodeNeedPassphrase:
			return "The pool's wallet is locked."
		case ErrCodeWallet:
			if Pruned(err) {
				return "The wallet is older than the blocks that the node still has: it was last used before a block that was pruned. " +
					"The node has to download the chain again, or keep all of it, to bring this wallet up to date."
			}
		}

		return "The Bitcoin node refused " + rpc.Method + ": " + full(rpc.Message)
	}

	switch {
	case errors.Is(err, ErrStarting):
		return "The Bitcoin node is not running yet."
	case errors.Is(err, ErrUnauthorized):
		return "The Bitcoin node does not accept the pool's login."
	case errors.Is(err, ErrForbidden):
		return "The Bitcoin node does not let the pool make a call that it needs: its settings rpcwhitelist or rpcallowip forbid it."
	case errors.Is(err, ErrCookie):
		return "The Bitcoin node's cookie file is there, but the pool may not read it. Let the pool's user read it (rpccookieperms=group)."
	case errors.Is(err, ErrExposed):
		return "The Bitcoin node is outside of the home network, and http:// would show its password to everybody on the way. " +
			"Use an https:// address or a tunnel."
	case errors.Is(err, ErrUnreachable):
		return "The Bitcoin node does not answer."
	case errors.Is(err, ErrTemplate):
		return full("The Bitcoin node offers work that the pool does not accept: " + err.Error())
	case errors.Is(err, ErrBadAnswer):
		return "The Bitcoin node gave an answer that the pool does not understand."
	}

	return full("Trouble with the Bitcoin node: " + err.Error())
}

// full ends a sentence with a full stop unless it ends with one, or with the node's own dots.
func full(s string) string {
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") {
		return s
	}

	return s + "."
}

// unreachable wraps an error of net/http without the URL that net/http puts in front of it. When the context is over
// its error stays in the chain.
func unreachable(ctx context.Context, err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}

	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}
