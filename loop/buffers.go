package loop

// DefaultBufferSize is the length of the buffers that Task.Buffer lends: a
// request of usual size, and a whole TLS record.
const DefaultBufferSize = 16 << 10

// bufferPoolMax bounds the buffers that a loop keeps for the next tasks.
const bufferPoolMax = 256

func (l *Loop) takeBuffer() *[]byte {
	if n := len(l.buffers) - 1; n >= 0 {
		b := l.buffers[n]
		l.buffers[n] = nil
		l.buffers = l.buffers[:n]
		return b
	}
	b := make([]byte, l.bufferSize)
	return &b
}

func (l *Loop) giveBuffer(b *[]byte) {
	if len(l.buffers) < bufferPoolMax {
		l.buffers = append(l.buffers, b)
	}
}
