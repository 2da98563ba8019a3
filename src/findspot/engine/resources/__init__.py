"""What steps need of a machine: processors, memory, graphics cards."""
