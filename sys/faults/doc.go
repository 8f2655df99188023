// Package faults makes the kernel fail on purpose. In a program that is built
// with the tag faults every function of package sys that can answer an error
// asks here first, and a Plan says what happens to it: that it fails with an
// error that its manual page lists, that it transfers less than it could, that
// events come late, merged or without a cause, or that something happens just
// after it. Without the tag nothing of this is compiled, and a plan does nothing.
//
// Tests use it by looptest.EachFault, which runs a body once for each way in
// which it can go wrong. Table is the list of those ways.
package faults
