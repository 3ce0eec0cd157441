"""The whole service under load: registrations, calls with real media, and the end."""
