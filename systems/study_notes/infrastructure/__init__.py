"""Everything of study notes that touches the outside: tables, files, documents and picture providers."""
