package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
)

// statusError is an answer that is an error in the words of HTTP.
type statusError struct{ status string }

func (e *statusError) Error() string { return "the server answered " + escape(e.status, "") }

// outputError is a failure to write the document.
type outputError struct{ err error }

func (e *outputError) Error() string { return "writing: " + e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// exitCode finds the code for an error. The order matters: a time-out while connecting is a
// time-out.
func exitCode(err error) int {
	var status *statusError
	var output *outputError
	var alert tls.AlertError
	var header tls.RecordHeaderError
	var certificate *tls.CertificateVerificationError
	var race *eyeballs.Error
	var lookup *eyeballs.LookupError
	raced, looked := errors.As(err, &race), errors.As(err, &lookup)
	var attempt *eyeballs.AttemptError
	tried := errors.As(err, &attempt)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, loop.ErrInterrupt):
		return exitInterrupt
	case errors.As(err, &status):
		return exitStatus
	case errors.As(err, &output):
		return exitOutput
	case errors.As(err, &certificate), errors.As(err, &alert), errors.As(err, &header):
		return exitTLS
	case raced && race.Timeout(), !raced && errors.Is(err, loop.ErrTimeout):
		return exitTimeout
	case raced && looked && !tried, errors.Is(err, eyeballs.ErrNoAddresses):
		return exitName
	case raced:
		return exitConnect
	case errors.Is(err, io.ErrUnexpectedEOF):
		return exitTruncated
	}
	return exitError
}

// explain is the text of an error for a person: the error of a single task is a group of one,
// which is of no interest here.
func explain(err error) string {
	for {
		group, ok := err.(*loop.Group)
		if !ok || len(group.Unwrap()) != 1 {
			break
		}
		err = group.Unwrap()[0]
	}
	if errors.Is(err, loop.ErrInterrupt) {
		return "interrupted"
	}
	text := strings.ReplaceAll(err.Error(), "; ", ";\n     ")
	if errors.Is(err, io.ErrUnexpectedEOF) {
		text = fmt.Sprintf("the connection ended before the document did (%s)", text)
	}
	return text
}
