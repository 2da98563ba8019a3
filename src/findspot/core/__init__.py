"""What everything else is made of: names, references, digests, records, types, errors. No I/O."""
