// Package compat holds tests only: libraries of others that run unchanged on
// lion, in tasks and on goroutines. docs/safe-in-tasks.md lists them.
package compat
