package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable is standard error without the power of control characters: what a server says in
// its status line, its headers or its error page may otherwise move the cursor of the terminal,
// hide lines, or worse. Everything but lines and tabs that is not to be seen is written as Go
// would quote it. The progress bar, which is our own, goes past it.
type printable struct{ to io.Writer }

// Write escapes and writes all of b, whose end is the end of a character.
func (p printable) Write(b []byte) (int, error) {
	if _, err := io.WriteString(p.to, escape(string(b), "\n\t")); err != nil {
		return 0, err
	}
	return len(b), nil
}

// escape quotes what cannot be printed, but for the characters to keep.
func escape(text, keep string) string {
	var out strings.Builder
	for len(text) > 0 {
		c, size := utf8.DecodeRuneInString(text)
		switch {
		case c == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case unicode.IsPrint(c), strings.ContainsRune(keep, c):
			out.WriteRune(c)
		default:
			quoted := strconv.QuoteRuneToASCII(c)
			out.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[size:]
	}
	return out.String()
}
