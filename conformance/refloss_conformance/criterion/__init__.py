"""`refloss check MODULE:CALLABLE --as criteria.retinanet`: somebody else's whole criterion, and what it does differently."""
