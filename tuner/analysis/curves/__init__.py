"""What stored curves say of questions that nothing was trained for: other targets, other metrics, fixed budgets."""
