"""What is measured of the training loss where a trial stands: sharpness, curvature, gradient noise, distance."""
