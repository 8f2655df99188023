package sendfile

import (
	"io"
	"sync"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// transfer is one call of Send. It is used again, and with it the functions that
// it hands to others: their arguments and results lie here, so that sending
// allocates next to nothing.
type transfer struct {
	config
	f      source
	raw    syscallConn // of f
	t      *loop.Task  // that sends
	offset int64
	left   int64
	size   int64  // of the whole file, if it has a key
	key    uint64 // identity
	sent   int64
	used   Method

	unsized bool // it says that it is empty, which files of /proc are not: up to its end

	fresh bool    // the page cache has been seen to have the next part
	blind bool    // the system does not tell
	buf   *[]byte // lent
	body  []byte  // in it: all that is to be sent, if it is little

	onSend, onLook, onRead func(file uintptr)               // sendNow, lookNow, readNow
	part                   func(socket sys.FD) (int, error) // sendPart
	socket                 sys.FD
	room                   []byte // what readNow fills, from there
	from                   int64
	n                      int
	err                    error
}

// A source is a file, of package os or opened by Open.
type source interface {
	io.ReaderAt
	Name() string
}

// syscallConn is what SyscallConn answers.
type syscallConn interface{ Control(func(fd uintptr)) error }

// transfers are those that are not in use.
//
//lion:opt transfer-pool: five allocations fewer for each call of Send
var transfers = sync.Pool{New: func() any {
	x := &transfer{}
	x.onSend, x.onLook, x.onRead = x.sendNow, x.lookNow, x.readNow
	x.part = x.sendPart
	return x
}}

// takeTransfer begins a transfer; end ends it.
func takeTransfer(offset, n int64, opts []Option) *transfer {
	x := transfers.Get().(*transfer)
	x.offset, x.left = offset, n
	for _, opt := range opts {
		opt(&x.config)
	}
	return x
}

// end gives x back, and returns how many bytes went.
func (x *transfer) end() int64 {
	if x.method != nil {
		*x.method = x.used
	}
	if x.buf != nil {
		giveBack(x.buf)
	}
	sent := x.sent
	*x = transfer{onSend: x.onSend, onLook: x.onLook, onRead: x.onRead, part: x.part}
	transfers.Put(x)
	return sent
}
