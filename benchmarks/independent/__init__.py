"""Calls of samples whose cells, stains, cytometers and files share neither code nor laws with the simulator."""
