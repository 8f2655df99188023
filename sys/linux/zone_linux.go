package linux

import (
	"fmt"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// The kernel knows an IPv6 zone by the number of an interface, people know it
// by its name (RFC 4007, section 11). The ioctls of netdevice(7) translate.
// Because every received link-local datagram needs the name, names are
// remembered for a while; interfaces can be renamed, so not for ever.
const (
	zoneLifetime = time.Minute // how long a renamed interface may keep its old name
	maxZones     = 256         // more are not remembered; hosts have a few interfaces
)

var zones struct {
	sync.Mutex
	names map[uint32]string
	until time.Time
}

// zoneToScope is the number of the interface that zone names, 0 for none.
func zoneToScope(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if number, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(number), nil
	}
	request, err := unix.NewIfreq(zone)
	if err == nil {
		err = askInterface(unix.SIOCGIFINDEX, request)
	}
	if err != nil {
		return 0, fmt.Errorf("zone %q is not a network interface: %w", zone, EINVAL)
	}
	return request.Uint32(), nil
}

// scopeToZone is the name of an interface, or its number as text if the
// kernel does not know it any more.
func scopeToZone(scope uint32) string {
	zones.Lock()
	defer zones.Unlock()
	now := time.Now()
	if now.After(zones.until) || len(zones.names) >= maxZones {
		zones.names = make(map[uint32]string)
		zones.until = now.Add(zoneLifetime)
	}
	name, ok := zones.names[scope]
	if !ok {
		name = interfaceName(scope)
		zones.names[scope] = name
	}
	return name
}

func interfaceName(scope uint32) string {
	var request unix.Ifreq
	request.SetUint32(scope)
	if askInterface(unix.SIOCGIFNAME, &request) != nil {
		return strconv.FormatUint(uint64(scope), 10)
	}
	return request.Name()
}

// askInterface makes an ioctl about interfaces, for which any socket will do.
func askInterface(what uint, request *unix.Ifreq) error {
	fd, err := Socket(AF_UNIX, SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer Close(fd)
	return seam.Again(func() error { return unix.IoctlIfreq(int(fd), what, request) })
}
