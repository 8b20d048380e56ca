"""Time-sequence plots: trace events -> curves -> SVG or text.

:mod:`.curves` makes of a connection's events what a plot shows of one direction, :mod:`.scale` maps values to places
and names them, :mod:`.svg` and :mod:`.text` draw.
"""
