package webui

import (
	"sync"
	"time"
)

// keptTTL is how long charts are shown again that read much and change slowly, and
// maxKept how many are kept.
const keptTTL, maxKept = 30 * time.Second, 128

// answers keeps answers by what was asked: a page that is open asks again whenever
// something happens. It is safe for concurrent use.
type answers[K comparable, V any] struct {
	mu   sync.Mutex
	list map[K]oneAnswer[V]
}

type oneAnswer[V any] struct {
	value V
	until time.Time
}

// get returns what is kept, or asks. Two who ask the same at once both ask.
func (a *answers[K, V]) get(key K, ask func() (V, error)) (V, error) {
	if value, ok := a.look(key); ok {
		return value, nil
	}
	value, err := ask()
	if err != nil {
		return value, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.list == nil || len(a.list) >= maxKept {
		a.list = map[K]oneAnswer[V]{}
	}
	a.list[key] = oneAnswer[V]{value, time.Now().Add(keptTTL)}
	return value, nil
}

func (a *answers[K, V]) look(key K) (value V, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	answer, ok := a.list[key]
	return answer.value, ok && time.Now().Before(answer.until)
}
