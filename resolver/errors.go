package resolver

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/lion-go/lion/loop"
)

// Code is the kind of a failed lookup, one for each error of getaddrinfo(3).
// It is an error itself, for errors.Is: errors.Is(err, resolver.NoName).
type Code uint8

// The codes, in the words of the man page.
const (
	_           Code = iota
	AddrFamily       // EAI_ADDRFAMILY: a literal of the other family
	Again            // EAI_AGAIN: no server gave an answer that counts; try later
	BadFlags         // EAI_BADFLAGS: flags that are unknown or contradict each other
	Fail             // EAI_FAIL: it will not work later either
	Family           // EAI_FAMILY: an address family that names do not have
	NoData           // EAI_NODATA: the name exists, and has no such address
	NoName           // EAI_NONAME: there is no such name
	Service          // EAI_SERVICE: no such service for the type of socket
	SockType         // EAI_SOCKTYPE: an unknown type, or one that contradicts the protocol
	SystemError      // EAI_SYSTEM: the system failed, out of descriptors for one
	IDNEncode        // EAI_IDN_ENCODE: the name has no form for the DNS
	Overflow         // EAI_OVERFLOW: an answer that does not fit
)

var codeTexts = [...]struct{ symbol, text string }{
	AddrFamily:  {"EAI_ADDRFAMILY", "address of another family"},
	Again:       {"EAI_AGAIN", "temporary failure in name resolution"},
	BadFlags:    {"EAI_BADFLAGS", "bad flags"},
	Fail:        {"EAI_FAIL", "failure in name resolution"},
	Family:      {"EAI_FAMILY", "unsupported address family"},
	NoData:      {"EAI_NODATA", "name has no such address"},
	NoName:      {"EAI_NONAME", "no such name"},
	Service:     {"EAI_SERVICE", "unknown service for this type of socket"},
	SockType:    {"EAI_SOCKTYPE", "unsupported type of socket"},
	SystemError: {"EAI_SYSTEM", "system error"},
	IDNEncode:   {"EAI_IDN_ENCODE", "name has no form for the DNS"},
	Overflow:    {"EAI_OVERFLOW", "answer too long"},
}

// String returns the symbol of the man page, "EAI_NONAME".
func (c Code) String() string {
	if int(c) < len(codeTexts) && codeTexts[c].symbol != "" {
		return codeTexts[c].symbol
	}
	return fmt.Sprintf("code %d", uint8(c))
}

// Error returns a text for people.
func (c Code) Error() string {
	if int(c) < len(codeTexts) && codeTexts[c].text != "" {
		return "resolver: " + codeTexts[c].text
	}
	return "resolver: " + c.String()
}

// Why servers were no help. They are found with errors.Is in an Error whose
// Code is Again, as loop.ErrTimeout is for silence, and an *socket.OpError
// with its errno for a system that is out of descriptors.
var (
	ErrRefused       = errors.New("resolver: the server refused (REFUSED)")
	ErrServerFailure = errors.New("resolver: the server failed (SERVFAIL)")
	ErrNotSupported  = errors.New("resolver: the server does not support the query")
	ErrLame          = errors.New("resolver: the server knows nothing about the name")
	ErrMalformed     = errors.New("resolver: malformed answer")
	ErrAliasLoop     = errors.New("resolver: aliases in a circle, or too many")
	ErrTooLarge      = errors.New("resolver: file too large")
	ErrTooMany       = fmt.Errorf("resolver: too many lookups are waiting: %w", loop.ErrFull)
)

// Error is a lookup that failed. With errors.Is it matches its Code and what
// is in Err.
type Error struct {
	Code   Code           // the kind of failure
	Name   string         // what was looked up
	Server netip.AddrPort // who answered last; invalid if nobody did
	Err    error          // why, beyond the Code; nil if that says all
}

// Error tells the name, the code and the reason.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "resolver: %q: %s", e.Name, strings.TrimPrefix(e.Code.Error(), "resolver: "))
	if e.Server.IsValid() {
		fmt.Fprintf(&b, ", from %v", e.Server)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %s", strings.TrimPrefix(e.Err.Error(), "resolver: "))
	}
	return b.String()
}

// Unwrap returns the code and the reason.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Code}
	}
	return []error{e.Code, e.Err}
}

// Timeout reports whether the servers were silent.
func (e *Error) Timeout() bool { return errors.Is(e.Err, loop.ErrTimeout) }

// Temporary reports whether the same lookup may succeed later.
func (e *Error) Temporary() bool { return e.Code == Again || e.Code == SystemError }

// NotFound reports whether there is no such name. A name that has no addresses
// of the family is found.
func (e *Error) NotFound() bool { return e.Code == NoName }

func failure(code Code, name string, err error) *Error {
	return &Error{Code: code, Name: name, Err: err}
}

// codeOf is the code in err, or Fail.
func codeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return Fail
}
