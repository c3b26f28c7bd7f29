"""Any program, in any language, as an implementation under test: newline-delimited JSON over its standard input and output."""
