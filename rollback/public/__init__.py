"""What everybody may read: updates of incidents, planned work, and the banner on every page."""
