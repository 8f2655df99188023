package seam

// What the systems' own waiting can do beyond readiness.

// Kevent is struct kevent of <sys/event.h> on 64-bit macOS, byte for byte. The
// last field is a pointer there; nothing but the program ever looks at it, so it
// holds a number here.
type Kevent struct {
	Ident  uint64
	Filter int16
	Flags  uint16
	Fflags uint32
	Data   int64
	Udata  uint64
}

// Completion is a packet that somebody posted to a completion port.
type Completion struct {
	Key   uint64
	Bytes uint32
}
