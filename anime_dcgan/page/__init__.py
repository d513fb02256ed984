"""HTML pages: reports, comparisons and reviews. Nothing in here loads torch."""
