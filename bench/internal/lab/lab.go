// Package lab runs a program in a network of its own, in which it may be root, take any port,
// and put other files in the place of those of the system. It is there on Linux only.
package lab
