package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
)

// echoServer reads lines and writes answers that it made beforehand: what any
// server in Go must spend on its connections.
type echoServer struct {
	listener net.Listener
	count    atomic.Int64
	notify   []byte
	ended    chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]struct{}
}

func serveEcho(ctx context.Context, _ string) (served, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	// As long as the real one with twelve branches.
	branches := strings.TrimSuffix(strings.Repeat(`"`+strings.Repeat("ab", 32)+`",`, branchCount), ",")
	s := &echoServer{
		listener: ln,
		notify: fmt.Appendf(nil, `{"id":null,"method":"mining.notify","params":["00000001","%064x","%0140x","%0160x",[%s],"20000000","2100ffff","6a0b0c0d",true]}`+"\n",
			1, 2, 3, branches),
		ended: make(chan struct{}),
		conns: map[net.Conn]struct{}{},
	}
	go func() {
		defer close(s.ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s, nil
}

func (s *echoServer) serve(conn net.Conn) {
	s.mu.Lock()
	s.conns[conn] = struct{}{}
	s.mu.Unlock()
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()

	subscribed := []byte(`{"id":1,"result":[[["mining.notify","00000001"],["mining.set_difficulty","00000001"]],"00000001",8],"error":null}` + "\n")
	authorized := append([]byte(`{"id":2,"result":true,"error":null}`+"\n"+`{"id":null,"method":"mining.set_difficulty","params":[0.0001]}`+"\n"), s.notify...)
	accepted := []byte(`{"id":4,"result":true,"error":null}` + "\n")
	lines := bufio.NewReaderSize(conn, 1<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			return
		}
		answer := accepted
		switch {
		case bytes.Contains(line, []byte("mining.subscribe")):
			answer = subscribed
		case bytes.Contains(line, []byte("mining.authorize")):
			answer = authorized
		default:
			s.count.Add(1)
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

func (s *echoServer) address() string { return s.listener.Addr().String() }
func (s *echoServer) accepted() int64 { return s.count.Load() }

func (s *echoServer) tip(bool) (began, parsed int64, err error) {
	began = now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.conns {
		_, _ = conn.Write(s.notify) // one that is gone does not matter
	}
	return began, 0, nil
}

func (s *echoServer) close() error {
	err := s.listener.Close()
	<-s.ended
	return err
}
