-- Notifications.
SELECT 1;
