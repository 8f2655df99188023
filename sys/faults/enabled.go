//go:build faults

package faults

// Enabled reports whether calls can be made to fail: the tag faults.
const Enabled = true
