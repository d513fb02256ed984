"""What happens beside the training. No callback changes a seeded run."""
