package main

import (
	"bytes"
	"context"
	"testing"

	"github.com/dmpool/dmpool/pool"
)

// A terminal that stands still for a while (Ctrl-S) must not end the demo: the
// pool drops a listener that does not keep up, and the demo listens again.
func TestTellsAfterBeingDropped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dropped := make(chan pool.Event)
	close(dropped)
	news := make(chan pool.Event)
	subscriptions := []chan pool.Event{dropped, news}
	subscribe := func() (<-chan pool.Event, func()) {
		events := subscriptions[0]
		subscriptions = subscriptions[1:]
		return events, func() {}
	}
	var out bytes.Buffer
	d := &demoRun{out: &out, seen: map[string]bool{}}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.tell(ctx, subscribe)
	}()
	news <- pool.Event{Kind: "share", Address: "someone"}
	cancel()
	<-ended
	if got, want := out.String(), "STEP first-share address=someone\n"; got != want {
		t.Errorf("told %q, want %q", got, want)
	}
}
