"""A host in virtual time that connects to an address that nobody has.  Three minutes pass in no time."""

import sys

from usertcp.observe.ladder import ladders
from usertcp.observe.printer import Printer
from usertcp.observe.recorder import Recorder
from usertcp.sim.network import Network
from usertcp.stack.host import Host

OURS, NOBODY = bytes((192, 0, 2, 2)), bytes((192, 0, 2, 77))

seen = Recorder()
host = Host([OURS], secret=b"a secret of the host", trace=seen)
network = Network()
network.link(host, Host([bytes((192, 0, 2, 1))], secret=b"a neighbour's secret"))
host.connect(NOBODY, 80, network.now)
network.run(until=600)

printer = Printer(sys.stdout)
printer.print(ladders(seen.events(), width=printer.width))
