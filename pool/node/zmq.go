package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/btcsuite/btcd/chainhash/v2"
	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

// Of the two ZMQ libraries without libzmq, this is go-zeromq/zmq4, used one level below its sockets: zmq4.Open speaks
// ZMTP over a connection that stays ours. Tried against a bitcoind that was stopped, and killed, and started again, its
// sockets with automatic reconnection, lightninglabs/gozmq and this way all came back with the subscription in place.
// They differ when it goes wrong. A zmq4 socket waits for the greeting of a silent peer for ever, deaf to its context.
// gozmq reconnects inside Receive, out of reach of a context, and must not be closed at that moment. Here the
// dial obeys the context, the handshake has a deadline, and closing our connection ends everything.

const (
	hashBlock        = "hashblock"
	handshakeTimeout = 5 * time.Second
)

// subscribeBlocks connects to the node's ZMQ publisher at address ("tcp://127.0.0.1:28332") and calls seen with the hash
// of each new tip until ctx ends or the connection breaks, whose error it returns. The publisher drops messages when
// it is busy, so a hash is a hint and its absence means nothing; gap is called when its counter shows a loss.
func subscribeBlocks(ctx context.Context, address string, connected func(), seen func(chainhash.Hash), gap func()) error {
	host, ok := strings.CutPrefix(address, "tcp://")
	if !ok {
		return fmt.Errorf("subscribe to blocks: address %q does not begin with tcp://", address)
	}

	dialer := net.Dialer{Timeout: handshakeTimeout}
	conn, err := dialer.DialContext(ctx, "tcp", host)
	if err != nil {
		return fmt.Errorf("subscribe to blocks: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()

	peer, err := subscribe(conn, hashBlock)
	if err != nil {
		return fmt.Errorf("subscribe to blocks: %w", err)
	}
	connected()

	var last uint32
	for first := true; ; first = false {
		message, err := peer.RecvMsg()
		if err != nil {
			return fmt.Errorf("receive block hash: %w", err)
		}

		hash, sequence, err := parseHashBlock(message.Frames)
		if err != nil {
			return fmt.Errorf("receive block hash: %w", err)
		}
		if !first && sequence != last+1 {
			gap()
		}
		last = sequence
		seen(hash)
	}
}

// subscribe shakes hands with a publisher and asks for one topic.
func subscribe(conn net.Conn, topic string) (*zmq4.Conn, error) {
	if err := conn.SetDeadline(time.Now().Add(handshakeTimeout)); err != nil {
		return nil, err
	}

	peer, err := zmq4.Open(conn, null.Security(), zmq4.Sub, nil, false, nil)
	if err != nil {
		return nil, err
	}
	if err := peer.SendMsg(zmq4.NewMsg(append([]byte{1}, topic...))); err != nil {
		return nil, err
	}

	return peer, conn.SetDeadline(time.Time{})
}

// parseHashBlock reads one message:
//
//	"hashblock" | hash, display order (32) | counter, little-endian (4)
func parseHashBlock(frames [][]byte) (hash chainhash.Hash, sequence uint32, err error) {
	if len(frames) != 3 || !bytes.Equal(frames[0], []byte(hashBlock)) || len(frames[1]) != chainhash.HashSize || len(frames[2]) != 4 {
		return hash, 0, errors.New("not a hashblock message")
	}

	copy(hash[:], frames[1])
	slices.Reverse(hash[:])

	return hash, binary.LittleEndian.Uint32(frames[2]), nil
}
