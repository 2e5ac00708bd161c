"""What of a server's interfaces libvirt does not do: Open vSwitch's side of them."""
