package pool

import "testing"

func TestEventsReachEveryListener(t *testing.T) {
	var events Events
	one, cancelOne := events.Subscribe()
	two, cancelTwo := events.Subscribe()
	defer cancelTwo()

	events.Publish(Event{Kind: "tip", Height: 7})
	for _, ch := range []<-chan Event{one, two} {
		if e := <-ch; e.Kind != "tip" || e.Height != 7 {
			t.Errorf("got %+v", e)
		}
	}
	cancelOne()
	cancelOne()
	if _, open := <-one; open {
		t.Error("channel of a cancelled subscription is open")
	}
	events.Publish(Event{Kind: "block"})
	if e := <-two; e.Kind != "block" {
		t.Errorf("got %+v", e)
	}
}

func TestEventsDropWhoDoesNotKeepUp(t *testing.T) {
	var events Events
	slow, cancel := events.Subscribe()
	defer cancel()
	for range eventBuffer + 1 {
		events.Publish(Event{Kind: "share"})
	}
	n := 0
	for range slow {
		n++
	}
	if n != eventBuffer {
		t.Errorf("the slow listener read %d events before its channel closed, want %d", n, eventBuffer)
	}
}
