package load

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/lion-go/lion/bench/internal/hello"
)

// maxAnswer bounds the size of an answer in bytes: a header of a few hundred and the body.
const maxAnswer = 16 << 10

var (
	statusOK   = []byte("HTTP/1.1 200 ")
	headersEnd = []byte("\r\n\r\n")
	body       = []byte(hello.Body)
)

// answers recognises complete answers. The first one is parsed; as all answers of one server
// have one size, later ones are only compared, which costs next to nothing.
type answers struct {
	size int // Of the last answer that was parsed.
}

// complete reports whether data is one whole answer. Anything that is neither that nor the
// start of it is an error: a benchmark of wrong answers is worth nothing.
func (a *answers) complete(data []byte) (bool, error) {
	if len(data) == a.size && bytes.HasPrefix(data, statusOK) && bytes.HasSuffix(data, body) {
		return true, nil
	}
	size, err := parse(data)
	switch {
	case err != nil:
		return false, err
	case size == 0 || len(data) < size:
		return false, nil
	case len(data) > size:
		return false, fmt.Errorf("%d bytes follow the answer %q", len(data)-size, data[:size])
	case !bytes.HasSuffix(data, body):
		return false, fmt.Errorf("the answer is %q, not %q", data, body)
	}
	a.size = size
	return true, nil
}

// parse returns the size of the answer at the start of data, or 0 if its header is incomplete.
func parse(data []byte) (int, error) {
	if n := min(len(data), len(statusOK)); !bytes.Equal(data[:n], statusOK[:n]) {
		return 0, fmt.Errorf("the answer starts with %q", data[:min(len(data), 80)])
	}
	end := bytes.Index(data, headersEnd)
	if end < 0 {
		if len(data) > maxAnswer {
			return 0, fmt.Errorf("the header of the answer exceeds %d bytes", maxAnswer)
		}
		return 0, nil
	}
	for line := range bytes.SplitSeq(data[:end], []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		if !bytes.EqualFold(name, []byte("content-length")) {
			continue
		}
		length, err := strconv.Atoi(string(bytes.TrimSpace(value)))
		if err != nil || length < 0 || length > maxAnswer {
			return 0, fmt.Errorf("the answer has the length %q", value)
		}
		return end + len(headersEnd) + length, nil
	}
	return 0, fmt.Errorf("the answer has no Content-Length: %q", data[:end])
}
