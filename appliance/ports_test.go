package appliance

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Who has a port is told, as far as it can be seen, and what to do in any case.
func TestListenTaken(t *testing.T) {
	first, err := Listen(t.Context(), "miners", "127.0.0.1:0", "--stratum")
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	addr := first.Addr().String()
	_, err = Listen(t.Context(), "the web pages", addr, "--http")
	for _, part := range []string{addr, "the web pages", fmt.Sprintf("process %d (", os.Getpid()), "another port with --http"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("it says %v, without %q", err, part)
		}
	}
	if got := holder(t.Context(), "127.0.0.1:1"); got != "another program (sudo ss -ltnp 'sport = :1' names it)" {
		t.Errorf("of a port that nobody is seen at it says %q", got)
	}
}
