"""Looking into a running stack from another process: its sockets (``usertcp ss``) and events (``usertcp trace``)."""
