"""What people look at: dashboards and figures of several rooms; reads, never writes."""
