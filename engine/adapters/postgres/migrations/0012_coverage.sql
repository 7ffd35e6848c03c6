-- How much of the venue's history the stream had.
SELECT 1;
