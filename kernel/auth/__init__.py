"""People, memberships, sessions, roles and the policy mechanism."""
