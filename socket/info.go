package socket

import "github.com/lion-go/lion/sys"

// TCPInfo is what the system knows about a TCP connection. A field that it does
// not tell is zero.
type TCPInfo = sys.TCPInfo

// Info asks the system about the TCP connection: round-trip time, windows, bytes
// acknowledged and sent again. Where it does not tell, and for other sockets, it
// is an error that matches errors.ErrUnsupported or the errno. Sync-coloured.
func (s *Socket) Info() (TCPInfo, error) {
	err := s.open()
	var info TCPInfo
	if err == nil {
		info, err = sys.GetTCPInfo(s.d.FD())
	}
	return info, opError("getsockopt TCP_INFO", Addr{}, err)
}

// PeerCredentials tells which process made the other end of a connected unix
// socket, as it was when it connected, or listened. Sync-coloured.
func (s *Socket) PeerCredentials() (Credentials, error) {
	err := s.open()
	var who Credentials
	if err == nil {
		who, err = sys.PeerCredentials(s.d.FD())
	}
	return who, opError("getsockopt SO_PEERCRED", Addr{}, err)
}
