package nodetest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
)

// answer finds out who answers a call: a script of failures, a handler of the test, or the fake itself.
func (n *Node) answer(r *http.Request, call Call) (any, *Error) {
	n.mu.Lock()
	n.calls[call.Method]++
	scripted := n.takeFailure(call.Method)
	handler := n.handlers[call.Method]
	if n.warmup != "" {
		scripted = &Error{-28, n.warmup}
	}
	n.mu.Unlock()

	if scripted != nil {
		return nil, scripted
	}
	if handler == nil {
		handler = n.builtin(r)
	}

	result, err := handler(call)
	if err == nil {
		return result, nil
	}
	failed, ok := errors.AsType[*Error](err)
	if !ok {
		n.tb.Errorf("nodetest: %s: %v", call.Method, err)
		failed = &Error{-1, err.Error()}
	}

	return nil, failed
}

// takeFailure returns the next scripted failure of method. n.mu is held.
func (n *Node) takeFailure(method string) *Error {
	script := n.failures[method]
	if len(script) == 0 {
		return nil
	}

	err := script[0].err
	script[0].times--
	if script[0].times <= 0 {
		n.failures[method] = script[1:]
	}

	return err
}

// builtin answers what a node without a wallet answers.
func (n *Node) builtin(r *http.Request) Handler {
	return func(call Call) (any, error) {
		if call.Method == "getblocktemplate" {
			return n.getBlockTemplate(r.Context(), call.Params)
		}

		n.mu.Lock()
		defer n.mu.Unlock()

		switch call.Method {
		case "getbestblockhash":
			return n.chain.tip.hash, nil
		case "getblockhash":
			return n.getBlockHash(call.Params)
		case "getblockheader":
			return n.getBlockHeader(call.Params)
		case "submitblock":
			return n.submitBlock(call.Params)
		case "getblockchaininfo":
			return n.blockchainInfo(), nil
		case "getdeploymentinfo":
			return map[string]any{
				"hash": n.chain.tip.hash, "height": n.chain.tip.height,
				"deployments": map[string]any{
					"segwit":  map[string]any{"type": "buried", "active": true, "height": 0},
					"taproot": map[string]any{"type": "bip9", "active": true, "height": 0},
				},
			}, nil
		case "getnetworkinfo":
			return map[string]any{
				"version": 290000, "subversion": "/Satoshi:29.0.0/", "networkactive": true,
				"connections": 10, "connections_in": 0, "connections_out": 10, "warnings": []string{},
			}, nil
		case "getmempoolinfo":
			return map[string]any{
				"loaded": true, "size": len(n.chain.txs), "bytes": 0, "total_fee": json.Number("0.00000000"),
				"mempoolminfee": json.Number("0.00001000"), "minrelaytxfee": json.Number("0.00001000"),
			}, nil
		case "getrpcinfo":
			active := make([]map[string]any, n.waiting)
			for i := range active {
				active[i] = map[string]any{"method": "getblocktemplate", "duration": 1}
			}

			return map[string]any{"active_commands": active}, nil
		case "uptime":
			return 1, nil
		case "stop":
			// A moment later, so that this call is still answered.
			time.AfterFunc(10*time.Millisecond, n.Stop)
			return "Bitcoin Core stopping", nil
		}

		return nil, &Error{-32601, "Method not found"}
	}
}

func (n *Node) blockchainInfo() map[string]any {
	tip := n.chain.tip

	return map[string]any{
		"chain": "regtest", "blocks": tip.height, "headers": tip.height, "bestblockhash": tip.hash,
		"time": tip.header.Timestamp.Unix(), "mediantime": tip.header.Timestamp.Unix(), "verificationprogress": 1,
		"initialblockdownload": false, "pruned": false, "size_on_disk": 0, "warnings": []string{},
	}
}

func (n *Node) getBlockHash(params json.RawMessage) (any, error) {
	var height int32
	if err := arguments(params, &height); err != nil {
		return nil, err
	}

	b := n.chain.at(height)
	if b == nil {
		return nil, &Error{-8, "Block height out of range"}
	}

	return b.hash, nil
}

func (n *Node) getBlockHeader(params json.RawMessage) (any, error) {
	var hash chainhash.Hash
	if err := arguments(params, &hash); err != nil {
		return nil, err
	}

	b := n.chain.blocks[hash]
	if b == nil {
		return nil, &Error{-5, "Block not found"}
	}
	verbose := true
	if err := arguments(params, &hash, &verbose); err == nil && !verbose {
		var raw bytes.Buffer
		err := b.header.Serialize(&raw)

		return hex.EncodeToString(raw.Bytes()), err
	}
	header := map[string]any{
		"hash": b.hash, "height": b.height, "confirmations": n.chain.confirmations(b), "version": b.header.Version,
		"time": b.header.Timestamp.Unix(), "mediantime": b.header.Timestamp.Unix(), "bits": fmt.Sprintf("%08x", b.header.Bits),
	}
	if b.parent != nil {
		header["previousblockhash"] = b.parent.hash
	}

	return header, nil
}

func (n *Node) submitBlock(params json.RawMessage) (any, error) {
	var text string
	if err := arguments(params, &text); err != nil {
		return nil, err
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return nil, &Error{-22, "Block decode failed"}
	}

	before := n.chain.tip
	result, err := n.chain.submit(raw)
	if n.chain.tip != before {
		n.wake()
	}
	if err != nil || result != "" {
		return result, err
	}

	return nil, nil
}

// arguments decodes the leading positional arguments of a call.
func arguments(params json.RawMessage, into ...any) error {
	var list []json.RawMessage
	if err := json.Unmarshal(params, &list); err != nil || len(list) < len(into) {
		return &Error{-1, "wrong number of arguments"}
	}
	for i := range into {
		if err := json.Unmarshal(list[i], into[i]); err != nil {
			return &Error{-3, "argument of the wrong type"}
		}
	}

	return nil
}

// walletOf returns the name in a path /wallet/<name>.
func walletOf(path string) string {
	name, ok := strings.CutPrefix(path, "/wallet/")
	if !ok {
		return ""
	}
	if unescaped, err := url.PathUnescape(name); err == nil {
		return unescaped
	}

	return name
}
