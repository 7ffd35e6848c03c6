-- What users copied, valued.
SELECT 1;
