package resolver

import (
	"net"
	"net/netip"

	"github.com/lion-go/lion/sys"
)

// NativeLookup is nativeLookup.
type NativeLookup = nativeLookup

// Native are lookups by functions.
type Native struct {
	Begin   func(name string, family int) (NativeLookup, error)
	Failure sys.NameFailure // what every error means
}

func (n *Native) available() bool { return true }

func (n *Native) begin(name string, family int) (nativeLookup, error) { return n.Begin(name, family) }

func (n *Native) failure(error) sys.NameFailure { return n.Failure }

// NewSystem is a System that asks n, and r where that is unsupported.
func NewSystem(n *Native, r *net.Resolver) System { return System{Resolver: r, names: n} }

// Found is a lookup that has ended.
type Found struct {
	Addrs []netip.Addr
	Err   error
}

// Wait returns what was found.
func (f Found) Wait() ([]netip.Addr, error) { return f.Addrs, f.Err }

// Cancel comes too late.
func (Found) Cancel() error { return nil }
