"""The cloud as processes on machines: the state folder, engines in namespaces of their own, and their watch.

Rooms: `state` (what is in the folder), `plan` (which processes a cloud is made of), `hosts` and `hold` (namespaces),
`process` (start, adopt, stop), `supervisor` (keeps them up), `up` and `teardown`, `probe` (what the machine can do).

Engines alone, for live tests of a part (as root):

    python -m pileus.deploy.lab --state DIR --nodes 2 start      # prints sockets and how to enter a host, as JSON
    python -m pileus.deploy.lab --state DIR stop                 # removes every trace but the folder
"""
