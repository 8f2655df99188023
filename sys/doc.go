// Package sys is the seam between lion and the operating system.
package sys
