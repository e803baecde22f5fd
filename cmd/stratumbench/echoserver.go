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
	ended    chan struct{}

	mu     sync.Mutex
	tips   int
	notify []byte // of the newest tip
	conns  map[net.Conn]struct{}
}

func serveEcho(ctx context.Context, _ serveOptions) (served, error) {
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &echoServer{listener: ln, ended: make(chan struct{}), conns: map[net.Conn]struct{}{}}
	s.nextTip()
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
	notify := s.notify
	s.mu.Unlock()
	defer func() {
		_ = conn.Close()
		s.mu.Lock()
		delete(s.conns, conn)
		s.mu.Unlock()
	}()

	subscribed := []byte(`{"id":1,"result":[[["mining.notify","00000001"],["mining.set_difficulty","00000001"]],"00000001",8],"error":null}` + "\n")
	authorized := append([]byte(`{"id":2,"result":true,"error":null}`+"\n"+`{"id":null,"method":"mining.set_difficulty","params":[0.0001]}`+"\n"), notify...)
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

// nextTip makes a job on another tip, as long as the real one with twelve
// branches. s.mu is held, or s is not shared yet.
func (s *echoServer) nextTip() {
	s.tips++
	branches := strings.TrimSuffix(strings.Repeat(`"`+strings.Repeat("ab", 32)+`",`, branchCount), ",")
	s.notify = fmt.Appendf(nil, `{"id":null,"method":"mining.notify","params":["00000001","%064x","%0140x","%0160x",[%s],"20000000","2100ffff","6a0b0c0d",true]}`+"\n",
		s.tips, 2, 3, branches)
}

func (s *echoServer) obey(c command) (reply, error) {
	switch c.Do {
	case "accepted":
		return reply{Accepted: s.count.Load()}, nil
	case "tip":
		return reply{Began: s.tip()}, nil
	}
	return reply{}, errUnknown
}

// tip sends the job on a new tip to everybody.
func (s *echoServer) tip() (began int64) {
	began = now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nextTip()
	for conn := range s.conns {
		_, _ = conn.Write(s.notify) // one that is gone does not matter
	}
	return began
}

func (s *echoServer) close() error {
	err := s.listener.Close()
	<-s.ended
	return err
}
