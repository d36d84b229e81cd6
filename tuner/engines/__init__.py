"""Where workers live. An engine starts them, hears their events and stops them."""
