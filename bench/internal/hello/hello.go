// Package hello is the work that every raw server does: find complete requests in what came,
// and answer each with the same bytes. floor/epoll.c does the same in C.
//
// It is no HTTP server. A request is whatever ends with an empty line; method, path and headers
// are not looked at, and a body would be taken for the next request. That is the point: what is
// left is the cost of the transport.
package hello

import "bytes"

// Body is what /hello answers, here and in realapps/httpd.
const Body = "Hello, World!"

// Answer is the answer to every request.
const Answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\n" + Body

// Request is what the load generator sends.
const Request = "GET /hello HTTP/1.1\r\nHost: bench\r\n\r\n"

// MaxRequest is the largest request that the raw servers take, in bytes, and the size of their
// buffers: a page, as much as the header limit of fasthttp.
const MaxRequest = 4096

// AnswersPerSend is how many pipelined requests are answered by one send. More would be copied
// for no gain: the cost of the call is spread already.
const AnswersPerSend = 16

// Answers is Answer, AnswersPerSend times over, so that pipelined answers need no copying.
var Answers = bytes.Repeat([]byte(Answer), AnswersPerSend)

var endOfHeaders = []byte("\r\n\r\n")

// Scan counts the complete requests at the start of data and returns how many bytes they take.
// What follows them is the start of the next request.
func Scan(data []byte) (requests, size int) {
	for {
		end := bytes.Index(data[size:], endOfHeaders)
		if end < 0 {
			return requests, size
		}
		size += end + len(endOfHeaders)
		requests++
	}
}

// Buffer gathers the bytes of one connection until they are complete requests.
// The zero value needs Bytes to be set to a buffer of at least MaxRequest bytes.
type Buffer struct {
	Bytes []byte
	used  int
}

// Free is the room to receive into. It is empty when a request exceeds the buffer.
func (b *Buffer) Free() []byte { return b.Bytes[b.used:] }

// Pending is the number of bytes kept of a request that is not complete yet.
func (b *Buffer) Pending() int { return b.used }

// Take notes that n bytes were received into Free and returns how many requests are complete
// now. Their bytes are dropped; an incomplete rest moves to the front.
func (b *Buffer) Take(n int) (requests int) {
	b.used += n
	requests, size := Scan(b.Bytes[:b.used])
	b.used = copy(b.Bytes, b.Bytes[size:b.used])
	return requests
}
