package compat

import (
	"bufio"
	"encoding/gob"
	"io"
	"net/rpc"
)

// gobServer is a codec for net/rpc: encoding/gob through a buffer.
type gobServer struct {
	c   io.Closer
	dec *gob.Decoder
	enc *gob.Encoder
	out *bufio.Writer
}

var _ rpc.ServerCodec = (*gobServer)(nil)

func newGobServer(c io.ReadWriteCloser) *gobServer {
	out := bufio.NewWriter(c)
	return &gobServer{c: c, dec: gob.NewDecoder(c), enc: gob.NewEncoder(out), out: out}
}

// ReadRequestHeader reads what comes before the argument.
func (s *gobServer) ReadRequestHeader(r *rpc.Request) error { return s.dec.Decode(r) }

// ReadRequestBody reads the argument.
func (s *gobServer) ReadRequestBody(body any) error { return s.dec.Decode(body) }

// WriteResponse writes an answer.
func (s *gobServer) WriteResponse(r *rpc.Response, body any) error {
	if err := s.enc.Encode(r); err != nil {
		return err
	}
	if err := s.enc.Encode(body); err != nil {
		return err
	}
	return s.out.Flush()
}

// Close closes the connection.
func (s *gobServer) Close() error { return s.c.Close() }
