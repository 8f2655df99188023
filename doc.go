// Package lion is the tour of a networking stack; it contains no code. The
// packages below it do the work.
package lion
