package sys_test

import "syscall"

// Wine closes with a linger time of 0 as with any other.
func init() {
	resets = syscall.NewLazyDLL("ntdll.dll").NewProc("wine_get_version").Find() != nil
}
