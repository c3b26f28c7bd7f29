"""Golden vectors of the detection losses, and a checker that says what an implementation does wrong."""
