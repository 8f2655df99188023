package resolver

import (
	"net/netip"
	"sync"
	"time"

	"github.com/lion-go/lion/loop"
)

// Bounds of the memory of source addresses.
const (
	// sourceTime is how long a source address is believed. It only decides about
	// an order: routes that have changed since cost an attempt, no connection.
	sourceTime = time.Second
	// maxKnownSources bounds the memory; when it is full all of it is forgotten.
	maxKnownSources = 1024
)

// sourceMemory remembers from which address the kernel would send. Programs
// ask for the same few hosts again and again, and each question to the kernel
// takes a socket: it is half of the cost of a lookup that the cache answers.
type sourceMemory struct {
	mu    sync.Mutex
	known map[netip.Addr]knownSource
}

type knownSource struct {
	source netip.Addr
	until  time.Time
}

// find is kernelSource with a memory. It is a checkpoint if it asks the kernel.
func (m *sourceMemory) find(t *loop.Task, dst netip.Addr) (netip.Addr, error) {
	now := t.Now()
	m.mu.Lock()
	known, ok := m.known[dst]
	m.mu.Unlock()
	//lion:opt known-sources without it each address of each answer costs a socket
	if ok && now.Before(known.until) {
		return known.source, nil
	}
	source, err := kernelSource(t, dst)
	if err != nil {
		return source, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxKnownSources {
		m.known = map[netip.Addr]knownSource{}
	}
	m.known[dst] = knownSource{source, now.Add(sourceTime)}
	return source, nil
}

// forget drops all that is known.
func (m *sourceMemory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = nil
}
