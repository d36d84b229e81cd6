"""What depends on the device: memory, arithmetic, and training steps recorded as CUDA graphs."""
