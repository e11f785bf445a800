"""Addresses and ports of this node. Standard library only, as the supervisor that uses it."""

import socket
import struct
import sys

PORTS_TRIED = 100
# Linux: asks for the address of an interface
SIOCGIFADDR = 0x8915


def reserve(first: int) -> socket.socket:
    """
    Binds the first of some ports that is free, or any where none of them is. Nobody else can bind it then, but for who asks to
    reuse addresses, as torch's store does (Linux allows that while the other does not listen).
    """
    for port in (*range(first, first + PORTS_TRIED), 0):
        one = socket.socket()
        try:
            one.bind(("", port))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            return one
        except OSError:
            one.close()
    raise OSError("this node has no port that is free")


def own_address(host: str) -> str | None:
    """The IPv4 address by which this node reaches the host; nothing is sent."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, 9))
            return str(probe.getsockname()[0])
    except OSError:
        return None


def interface_of(address: str) -> str | None:
    if sys.platform != "linux":
        return None
    import fcntl

    for _, name in socket.if_nameindex():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                found = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, struct.pack("256s", name.encode()))
            except OSError:
                continue
        # the loopback has a whole network
        if socket.inet_ntoa(found[20:24]) == address or (name == "lo" and address.startswith("127.")):
            return name
    return None
