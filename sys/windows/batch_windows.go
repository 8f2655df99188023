package windows

// Windows has no call for several messages at once, so these are loops
// of single ones, up to the same bound as where there is one: nobody else gets
// a turn before a batch is through.

// MaxBatch is the most messages that one call transfers.
const MaxBatch = 32

// RecvMMsg receives up to MaxBatch messages, each as RecvMsg does, and returns
// how many came; their sizes are in the field N. If there are none it is
// WouldBlock. An error may come beside messages. No room at all is EINVAL.
func RecvMMsg(fd FD, ms []Msg, flags int) (int, error) {
	if len(ms) == 0 {
		return 0, EINVAL
	}
	for i := range ms[:min(len(ms), MaxBatch)] {
		if _, err := RecvMsg(fd, &ms[i], flags); err != nil {
			return partial(i, err)
		}
	}
	return min(len(ms), MaxBatch), nil
}

// SendMMsg sends up to MaxBatch messages, each as SendMsg does, and returns how
// many were sent, the field N of each telling how many bytes of it. An error
// concerns the message after those, and may come beside them. No message at
// all is EINVAL.
func SendMMsg(fd FD, ms []Msg, flags int) (int, error) {
	if len(ms) == 0 {
		return 0, EINVAL
	}
	for i := range ms[:min(len(ms), MaxBatch)] {
		if _, err := SendMsg(fd, &ms[i], flags); err != nil {
			return partial(i, err)
		}
	}
	return min(len(ms), MaxBatch), nil
}

// partial ends a batch: that the next message would have to wait is no news
// when others went.
func partial(n int, err error) (int, error) {
	if n > 0 && err == WouldBlock {
		return n, nil
	}
	return n, err
}
