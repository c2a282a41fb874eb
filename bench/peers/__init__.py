"""What others do with the same load: measured beside ours in the same run."""
