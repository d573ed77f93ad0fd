"""What machines ask: does this process live, may it be sent people, and how does the school stand."""
