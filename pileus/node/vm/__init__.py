"""Virtual machines: `domain` describes one to libvirt (pure), `hypervisor` is the connection, `console` its log."""
