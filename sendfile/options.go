package sendfile

// A Method is a way in which bytes were moved.
type Method uint8

const (
	// Copied bytes went through user space.
	Copied Method = iota
	// Sendfile is sendfile(2): file to socket in the kernel.
	Sendfile
	// Splice is splice(2): socket to socket in the kernel.
	Splice
	// TransmitFile is that of Windows: file to socket in the kernel.
	TransmitFile
)

// String names the method.
func (m Method) String() string {
	switch m {
	case Sendfile:
		return "sendfile"
	case Splice:
		return "splice"
	case TransmitFile:
		return "TransmitFile"
	}
	return "copy"
}

// An Option sets up one call of Send or Copy.
type Option func(*config)

type config struct {
	header, trailer []byte
	progress        func(sent int64)
	method          *Method
}

// WithHeader sends b before the file, in the same packet if it fits. It must
// not be changed until Send returns.
func WithHeader(b []byte) Option { return func(c *config) { c.header = b } }

// WithTrailer sends b after the file.
func WithTrailer(b []byte) Option { return func(c *config) { c.trailer = b } }

// WithProgress has fn called after each part, with the bytes that have been
// sent so far. It must not block.
func WithProgress(fn func(sent int64)) Option { return func(c *config) { c.progress = fn } }

// MethodUsed stores at m how the bytes were moved, when the call returns: Copied
// if none of them stayed in the kernel, and otherwise how those did.
func MethodUsed(m *Method) Option { return func(c *config) { c.method = m } }
