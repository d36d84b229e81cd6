"""What the tuned optimum of each batch size looks like: sharpness, curvature, gradient noise and distance."""
