"""The cost of monitoring, and provisioned limits that are paid for and idle."""
