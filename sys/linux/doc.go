// Package linux is the seam to the Linux kernel.
package linux
