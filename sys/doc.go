// Package sys is the seam between lion and the operating system: the one
// import for it above this directory, and the one place where lion knows which
// system it runs on.
//
// Behind it stand the packages sys/linux, sys/darwin and sys/windows, which are
// mirror images of each other: files of the same names with functions of the
// same names and types. This package has, for each system, a generated file of
// aliases, constants and one-line forwarders to its package; a test compares
// the three from source. What a system lacks is the same function, answering
// [errors.ErrUnsupported], or an option whose name is 0 there, which the option
// functions answer in the same way. It is never a panic, and never nothing.
//
// # Calls
//
// Every function is a plain one that does not wait:
//
//   - Where the system call would have to wait, it answers [WouldBlock], which
//     is compared with ==. Calls that may take long although they do not wait
//     for a peer (binding to a path, closing with a linger time) say so.
//   - It hides EINTR. Where an interrupted call must not be made again, its
//     comment says what happens instead: a connect goes on, a close is done.
//   - Other errors are [Errno] values, bare; those that describe an argument
//     wrap one. The caller, who knows the operation, wraps them, once.
//   - It allocates nothing if it is for moving data or for waiting, and lets no
//     buffer, [Msg] or [Sockaddr] escape: they are used only during the call.
//     (A Msg may allocate in its first use, for what the system needs.)
//   - Descriptors are born nonblocking and are not inherited by children. They
//     belong to whoever asked for them. A negative [FD] is never valid.
//   - An answer of WouldBlock has changed nothing: what it was given can be given
//     to it again. A receive that failed in any way leaves a Msg as it was, but
//     for a Name that was wanted: that is unspecified then.
//   - Data are sent so that a closed peer is an error, never a signal.
//
// None of it is a checkpoint: tasks and cancellation are above this seam.
//
// Addresses are kept in the kernel's form, by value ([Sockaddr]). One that is
// refused leaves its Sockaddr unspecified, and says why: EINVAL if it is no
// address, has a zone that does not exist, or is an empty name; EAFNOSUPPORT if
// it does not fit the family; ENAMETOOLONG; errors.ErrUnsupported for an
// abstract name where there are none.
//
// # Readiness
//
// A [Poller] tells when a call that answered WouldBlock is worth another try.
// Each system must provide this:
//
//   - Arm promises at least one event with the given key if the descriptor
//     becomes ready for what was asked, counted from a call on it that answered
//     WouldBlock. So a call is tried before its wait; who does not try may miss
//     news that came before, since a system may report changes (epoll and
//     kqueue do) as well as states (as AFD does). Nobody may rely on either.
//   - Events may be spurious, may come for what was not asked, and may be
//     merged. An error or a hang-up counts as both readable and writable,
//     because whoever waits for anything must learn of it. [Unusual]
//     accompanies a hang-up, a half-close by the peer, an error and a priority
//     condition, once seen: from then on a short read proves nothing about
//     what is left.
//   - Without [Once] the descriptor is lion's own. Arming it again with the
//     same key costs next to nothing. With Once it belongs to somebody else as
//     well: each call registers it anew, and reports what is ready already.
//   - What was armed stays armed until it has been reported: a wait to read and
//     one to write do not replace each other, with Once or without.
//   - Keys are numbers, not pointers, and carry a generation: an event for a
//     closed descriptor whose number is in use again has an old key, by which
//     the loop knows it. A descriptor has one key at a time; Arm with another
//     one replaces it. But Once does not replace a registration without Once:
//     Arm answers EEXIST, and the registration of lion's own is as it was. The
//     other way about it does: a number that was waited for with Once and was
//     closed without notice may be one of lion's own by now.
//   - Forget precedes Close of the descriptor, or ForgetClosing, if there is no
//     duplicate and it is closed right after. No later Wait reports the key.
//     Forgetting what is not registered, or is registered under another key,
//     does nothing: it may be the next owner's of the same number.
//   - Wait stores at most as many events as fit and leaves the others for the
//     next call. It does not return for want of time before that is over, in
//     the resolution of the system, so that a caller with a deadline does not
//     turn in circles. It may return with nothing now and then, as it does when
//     a system call is interrupted.
//   - Wake is the only method for other threads. It is sticky: it makes the
//     Wait that is under way return, or else the next one that would sleep
//     (or one before that, which does not sleep). Several calls before that
//     count as one. It is harmless after Close.
//   - To ask for nothing or for Unusual, and to wait without room for an event,
//     is EINVAL.
//   - After Close, Arm, Wait and another Close answer os.ErrClosed; Forget and
//     Wake do nothing.
//
// The loop in turn promises: it gives work to a sleeping loop by queueing it
// first and calling Wake second, and looks into the queue after each Wait.
package sys

//go:generate go run ./internal/gen
