"""Two hosts in virtual time, and a link between them that loses the segments named on the command line.

    python docs/examples/lost_packet.py data:3

The client (on the right) connects and asks; the server (on the left) answers with 20,000 bytes.  The link
loses, of what the server sends, the third segment with data; ``syn:1`` would be the first SYN.  Nothing in
here depends on the machine or on chance, so it prints the same each time.
"""

import sys

from usertcp.observe.ladder import ladders
from usertcp.observe.printer import Printer
from usertcp.observe.recorder import Recorder
from usertcp.sim.impairment import Conditions, Impairment
from usertcp.sim.network import Network
from usertcp.sim.selection import Nth
from usertcp.stack.host import Host

CLIENT, SERVER = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
ANSWER = bytes(20_000)


def main(lost: list[str]) -> None:
    seen = Recorder()
    client = Host([CLIENT], secret=b"the client's secret")
    server = Host([SERVER], secret=b"the server's secret", trace=seen)

    network = Network()
    named = tuple(Nth(kind, int(number)) for kind, number in (each.split(":") for each in lost))
    network.link(
        server, client, Impairment(Conditions(delay=0.01, drop=named)), Impairment(Conditions(delay=0.01))
    )

    listener = server.listen(80)
    connection = client.connect(SERVER, 80, network.now)

    def serve(now: float) -> None:
        server.woken_listeners.clear()
        while accepted := listener.accept():
            accepted.send(ANSWER, now)
            accepted.close(now)
        listener.pending = False
        release_what_ended(server, now)

    def fetch(now: float) -> None:
        while connection.receive(1 << 20, now):
            pass
        if connection.at_eof:
            connection.close(now)
        release_what_ended(client, now)

    network.install(server, serve)
    network.install(client, fetch)
    network.run(until=30)
    printer = Printer(sys.stdout)
    printer.print(ladders(seen.events(), width=printer.width))


def release_what_ended(host: Host, now: float) -> None:
    for connection in host.woken:
        connection.pending = 0
    host.woken.clear()


if __name__ == "__main__":
    main(sys.argv[1:])
