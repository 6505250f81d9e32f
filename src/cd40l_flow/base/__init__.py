"""What every room uses: errors, files on disk, schemas, and the types of samples, tubes and events."""
