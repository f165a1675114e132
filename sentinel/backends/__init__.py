"""The engines that keep processes running, behind one interface."""
