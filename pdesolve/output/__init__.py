"""Files for people to look at: ParaView and pictures."""
