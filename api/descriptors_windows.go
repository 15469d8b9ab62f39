package api

// descriptors is 0: the system sets no bound that a process would meet.
func descriptors() int { return 0 }
