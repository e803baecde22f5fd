package bitcoind

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// PortTakenError says that a port on 127.0.0.1 cannot be had.
type PortTakenError struct {
	Port  int
	Owner string // "process 12 (nginx)"; empty when it cannot be told
}

func (e *PortTakenError) Error() string {
	if e.Owner == "" {
		return fmt.Sprintf("port %d on 127.0.0.1 is in use by another program", e.Port)
	}
	return fmt.Sprintf("port %d on 127.0.0.1 is in use by %s", e.Port, e.Owner)
}

// CheckPort returns a *PortTakenError when something listens on the port of
// 127.0.0.1, and nil when it is free at this moment.
func CheckPort(ctx context.Context, port int) error {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return &PortTakenError{Port: port, Owner: PortOwner(port)}
	case err != nil:
		return fmt.Errorf("try port %d: %w", port, err)
	}

	return l.Close()
}

// FreePorts returns n different ports of 127.0.0.1 that nothing uses at this
// moment.
func FreePorts(ctx context.Context, n int) ([]int, error) {
	var (
		listen net.ListenConfig
		ports  []int
	)
	for range n {
		l, err := listen.Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		// All stay open until the last is found, else one could come twice.
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}

	return ports, nil
}

// PortOwner names the process that listens on the port, as far as this user may
// see it: /proc/self/net/tcp has the socket's inode, /proc/<pid>/fd who has it open.
// Of another user's process only the user can be told.
func PortOwner(port int) string {
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		inode, uid := listener(table, port)
		if inode == "" {
			continue
		}
		links, err := filepath.Glob("/proc/[0-9]*/fd/*")
		if err != nil {
			return ""
		}
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && to == "socket:["+inode+"]" {
				pid, _ := strconv.Atoi(strings.Split(link, "/")[2])
				return processName(pid)
			}
		}
		if who, err := user.LookupId(uid); err == nil {
			return "a program of the user " + who.Username
		}
	}

	return ""
}

// listener reads a table of sockets. Its columns are, from the second:
// local address (hex ip:port), remote address, state (0A: listening), queues,
// timer, retransmissions, user, timeout, inode.
func listener(table string, port int) (inode, uid string) {
	file, err := os.Open(table)
	if err != nil {
		return "", ""
	}
	defer file.Close()

	suffix := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(file); lines.Scan(); {
		column := strings.Fields(lines.Text())
		if len(column) > 9 && strings.HasSuffix(column[1], suffix) && column[3] == "0A" {
			return column[9], column[7]
		}
	}

	return "", ""
}

// processName returns "process 12 (nginx)".
func processName(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return fmt.Sprintf("process %d", pid)
	}
	return fmt.Sprintf("process %d (%s)", pid, strings.TrimSpace(string(name)))
}
