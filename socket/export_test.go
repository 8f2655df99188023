package socket

import (
	"reflect"

	"github.com/lion-go/lion/loop"
)

// IdleConnectionSize is the memory in bytes that a server and its loop hold
// for an idle connection, the kernel's left out, as far as the sizes of their
// structures tell: the connection, its method value, its descriptor, and the
// slots of the loop and the poller, which are slices that have grown to twice
// what is needed.
func IdleConnectionSize() int {
	size := func(v any) int { return int(reflect.TypeOf(v).Size()) }
	const methodValue, slots = 16, 2 * (16 + 24)
	return size(served{}) + methodValue + size(loop.Descriptor{}) + slots
}

// LendTLSBuffer lends a buffer as a TLS connection does.
func LendTLSBuffer() []byte { return *tlsBuffers.Get().(*[]byte) }

// OweTLS leaves b to be sent, as an answer of crypto/tls itself.
func OweTLS(c *TLSConn, b []byte) { _, _ = c.wire.Write(b) }

// LingeringMax is how many closes may linger at once.
const LingeringMax = lingeringMax

// InheritedNames reads the environment of a process that was started with
// sockets.
var InheritedNames = inheritedNames
