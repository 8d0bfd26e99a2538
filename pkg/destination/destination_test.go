package destination_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/writhq/writ/pkg/destination"
)

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name      string
		addresses string
		ok        bool
	}{
		{"private", "10.1.2.3 172.16.5.5 192.168.0.1 100.64.0.1 fd12:3456::1", true},
		{"public", "52.94.5.1 192.0.2.10 2600:1f18::1 2001:db8::1", true},
		{"NAT64 of such", "64:ff9b::a01:203 64:ff9b::c000:20a", true},
		{"mapped", "::ffff:10.1.2.3", true},
		{"beside what is forbidden", "169.253.255.255 169.255.0.0 100.100.100.201 168.63.129.17 192.0.1.0 fd00:ec1::254 2001:1::1 64:ff9b:2::1 1.0.0.0 223.255.255.255", true},

		{"metadata", "169.254.169.254 169.254.170.2 169.254.170.23 fd00:ec2::254 fd00:ec2::23 100.100.100.200 168.63.129.16 192.0.0.192", false},
		{"metadata, mapped", "::ffff:169.254.169.254 ::ffff:100.100.100.200 ::ffff:168.63.129.16", false},
		{"metadata, NAT64", "64:ff9b::a9fe:a9fe 64:ff9b::6464:64c8 64:ff9b::a83f:8110 64:ff9b:1::a9fe:a9fe", false},
		{"metadata, otherwise hidden", "2002:a9fe:a9fe::1 ::169.254.169.254 ::ffff:0:169.254.169.254 2001:0:1::1", false},
		{"link-local", "169.254.0.1 fe80::1 febf::1 fec0::1", false},
		{"zone", "fe80::1%lo 2600:1f18::1%eth0 ::1%lo ::ffff:10.1.2.3%x", false},
		{"unspecified", "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0 64:ff9b::", false},
		{"multicast", "224.0.0.1 239.255.255.255 ff02::1 ::ffff:224.0.0.1 64:ff9b::e000:1", false},
		{"reserved", "240.0.0.1 255.255.255.255 192.0.0.8", false},
		{"loopback behind NAT64", "64:ff9b::7f00:1", false},
	} {
		for address := range strings.FieldsSeq(tt.addresses) {
			for _, loopback := range []bool{false, true} {
				err := destination.Check(netip.MustParseAddr(address), loopback)
				if (err == nil) != tt.ok || err != nil && !errors.Is(err, destination.ErrForbidden) {
					t.Errorf("%s: %s (loopback %v): %v", tt.name, address, loopback, err)
				}
			}
		}
	}
	for _, loopback := range []bool{false, true} {
		if destination.Check(netip.Addr{}, loopback) == nil {
			t.Error("the zero address is allowed")
		}
		for address := range strings.FieldsSeq("127.0.0.1 127.9.9.9 ::1 ::ffff:127.0.0.1") {
			if err := destination.Check(netip.MustParseAddr(address), loopback); (err == nil) != loopback {
				t.Errorf("%s (loopback %v): %v", address, loopback, err)
			}
		}
	}
}

func TestReached(t *testing.T) {
	for address, want := range map[string]string{
		"10.1.2.3": "10.1.2.3", "::ffff:10.1.2.3": "10.1.2.3", "64:ff9b::a01:203": "10.1.2.3", "2600:1f18::1": "2600:1f18::1",
	} {
		if got := destination.Reached(netip.MustParseAddr(address)); got.String() != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}

// FuzzCheck holds that no form of an IPv4 address is allowed where the address itself is not.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"169.254.169.254", "127.0.0.1", "10.1.2.3", "0.0.0.0", "100.100.100.200"} {
		b := netip.MustParseAddr(seed).As4()
		f.Add(b[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 4 {
			return
		}
		plain := netip.AddrFrom4([4]byte(b))
		want := destination.Check(plain, false) == nil
		if got := destination.Check(netip.AddrFrom16(plain.As16()), false) == nil; got != want {
			t.Errorf("%s: %v, mapped %v", plain, want, got)
		}
		for _, form := range [][16]byte{
			{12: b[0], b[1], b[2], b[3]},
			{0x20, 0x02, b[0], b[1], b[2], b[3]},
			{0, 0x64, 0xff, 0x9b, 12: b[0], b[1], b[2], b[3]},
			{0, 0x64, 0xff, 0x9b, 0, 1, 12: b[0], b[1], b[2], b[3]},
			{8: 0xff, 0xff, 12: b[0], b[1], b[2], b[3]},
		} {
			if hidden := netip.AddrFrom16(form); !want && destination.Check(hidden, false) == nil {
				t.Errorf("%s is allowed, %s is not", hidden, plain)
			}
		}
	})
}
