package node

import (
	"context"
	"net"
	"testing"

	"github.com/btcsuite/btcd/chainhash/v2"
)

func TestParseHashBlock(t *testing.T) {
	hash := make([]byte, 32)
	hash[0], hash[31] = 0xaa, 0x01
	want, err := chainhash.NewHashFromStr("aa00000000000000000000000000000000000000000000000000000000000001")
	if err != nil {
		t.Fatal(err)
	}

	got, sequence, err := parseHashBlock([][]byte{[]byte("hashblock"), hash, {2, 1, 0, 0}})
	if err != nil || got != *want || sequence != 0x102 {
		t.Errorf("parseHashBlock() = %v, %d, %v, want %v, %d", got, sequence, err, want, 0x102)
	}

	for name, frames := range map[string][][]byte{
		"nothing":       nil,
		"other topic":   {[]byte("hashtx"), hash, {0, 0, 0, 0}},
		"short hash":    {[]byte("hashblock"), hash[1:], {0, 0, 0, 0}},
		"short counter": {[]byte("hashblock"), hash, {0}},
		"no counter":    {[]byte("hashblock"), hash},
		"more":          {[]byte("hashblock"), hash, {0, 0, 0, 0}, nil},
	} {
		if _, _, err := parseHashBlock(frames); err == nil {
			t.Errorf("parseHashBlock(%s) succeeds", name)
		}
	}
}

// TestSilentPublisher connects to something that accepts and never says a word, the worst that can be met.
func TestSilentPublisher(t *testing.T) {
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := listener.Accept()
		if err == nil {
			defer conn.Close()
		}
		cancel()
		<-t.Context().Done()
	}()

	err = subscribeBlocks(ctx, "tcp://"+listener.Addr().String(), func() { t.Error("connected") }, nil, nil)
	if err == nil {
		t.Error("subscribeBlocks() to a silent peer succeeds")
	}
}

func TestSubscribeAddress(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:1", "ipc:///x", "tcp://", "tcp://nowhere"} {
		if err := subscribeBlocks(t.Context(), address, nil, nil, nil); err == nil {
			t.Errorf("subscribeBlocks(%q) succeeds", address)
		}
	}
}
