"""From notebooks to pages: files and processes, no statistics."""
