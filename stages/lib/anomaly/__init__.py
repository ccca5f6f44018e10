"""The anomaly model of real pairs, and the scores that it gives (section 3.2)."""
