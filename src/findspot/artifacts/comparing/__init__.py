"""What differs between two contents: documents, texts, arrays, tables, images. None of it runs code
that the bytes bring along: files are read by their formats, never by pickle."""
