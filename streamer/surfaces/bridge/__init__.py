"""The bridge to plug-in hosts: one engine's process serves every instance of the plug-in over loopback sockets."""
