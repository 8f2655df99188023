package resolver

import (
	"strings"

	"golang.org/x/net/idna"
)

// Limits of RFC 1035, in letters as they are written.
const (
	maxName  = 253
	maxLabel = 63
)

// idnaProfile maps names for a lookup as UTS 46 and IDNA 2008 have it:
// nontransitional, so that "straße" is not "strasse"; strict, since without
// that some letters become '/' and split the name.
var idnaProfile = idna.New(idna.MapForLookup(), idna.Transitional(false),
	idna.StrictDomainName(true), idna.BidiRule(), idna.VerifyDNSLength(true))

// toASCII is the form of a name for the DNS. ASCII stays as it is, except that
// what claims to be encoded must be so.
func toASCII(name string) (string, error) {
	bare, dot := strings.CutSuffix(name, ".")
	if isASCII(name) {
		for label := range strings.SplitSeq(bare, ".") {
			if len(label) >= 4 && strings.EqualFold(label[:4], "xn--") {
				if _, err := idnaProfile.ToASCII(label); err != nil || len(label) == 4 {
					return "", failure(IDNEncode, name, err)
				}
			}
		}
		return name, nil
	}
	ascii, err := idnaProfile.ToASCII(bare)
	if err != nil {
		return "", failure(IDNEncode, name, err)
	}
	if dot {
		ascii += "."
	}
	return ascii, nil
}

// toUnicode is the form of a name for people, or the name if it has none.
func toUnicode(name string) string {
	text, err := idnaProfile.ToUnicode(name)
	if err != nil {
		return name
	}
	return text
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// isHostName reports whether a name, perhaps with a dot at the end, may be
// that of a host: letters, digits, '-' and '_', no '-' in front.
func isHostName(name string) bool {
	name = strings.TrimSuffix(name, ".")
	if name == "" || len(name) > maxName || name[0] == '-' {
		return false
	}
	label := 0
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '.':
			if label == 0 {
				return false
			}
			label = 0
			continue
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', c == '-', c == '_':
			label++
		default:
			return false
		}
		if label > maxLabel {
			return false
		}
	}
	return label > 0
}

// special is what is known of a name without asking (RFC 6761, 7686, 9476).
type special uint8

const (
	ordinary  special = iota
	loopback          // localhost and what is below
	nowhere           // .invalid, .onion, .alt: never in the DNS
	multicast         // .local: in the DNS only if nothing else claims it
)

func specialName(name string) special {
	name = lowerName(name)
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "localhost":
		return loopback
	case "invalid", "onion", "alt":
		return nowhere
	case "local":
		return multicast
	}
	return ordinary
}
