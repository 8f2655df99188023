package resolver

import (
	"container/list"
	"sync"
	"time"
)

// Bounds on how long answers are kept, whatever they say.
const (
	maxTTL         = 24 * time.Hour
	maxNegativeTTL = 3 * time.Hour
	// failureTTL is how long a server's failure is believed: RFC 9520 wants at
	// least one second and at most five minutes.
	failureTTL = time.Second
)

// cache keeps answers for their time, in all loops, least recently used out
// first. It is bounded in answers, and each of them by maxAddrs.
type cache struct {
	mu      sync.Mutex
	size    int
	entries map[cacheKey]*list.Element
	order   list.List // of *cacheEntry, most recently used first
}

type cacheKey struct {
	name  string // lower case
	qtype uint16
	era   era
}

// An era ends when files have changed, or with a Flush: nobody joins a lookup of
// an earlier one, and what that brings home late is not kept for others.
type era struct{ generation, flushes uint64 }

// era is the present one for a lookup by s.
func (r *Resolver) era(s *settings) era { return era{s.generation, r.flushes.Load()} }

type cacheEntry struct {
	key cacheKey
	answer
}

func (c *cache) init(size int) {
	c.size, c.entries = size, map[cacheKey]*list.Element{}
}

// get returns an answer whose time has not come.
func (c *cache) get(now time.Time, name string, qtype uint16, e era) (answer, bool) {
	if c.size == 0 {
		return answer{}, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := cacheKey{lowerName(name), qtype, e}
	at := c.entries[key]
	if at == nil {
		return answer{}, false
	}
	entry := at.Value.(*cacheEntry)
	if !now.Before(entry.expires) {
		c.order.Remove(at)
		delete(c.entries, key)
		return answer{}, false
	}
	c.order.MoveToFront(at)
	return entry.answer, true
}

// put keeps an answer if it may be kept.
func (c *cache) put(now time.Time, name string, qtype uint16, e era, a answer) {
	if c.size == 0 || !now.Before(a.expires) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	key := cacheKey{lowerName(name), qtype, e}
	if at := c.entries[key]; at != nil {
		at.Value.(*cacheEntry).answer = a
		c.order.MoveToFront(at)
		return
	}
	c.entries[key] = c.order.PushFront(&cacheEntry{key, a})
	if c.order.Len() > c.size {
		last := c.order.Back()
		c.order.Remove(last)
		delete(c.entries, last.Value.(*cacheEntry).key)
	}
}

func (c *cache) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries = map[cacheKey]*list.Element{}
	c.order.Init()
}

func (c *cache) len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.order.Len()
}
