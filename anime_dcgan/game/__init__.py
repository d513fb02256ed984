"""The adversarial game in plain torch: losses, regularizers, augmentation and the duality gap."""
