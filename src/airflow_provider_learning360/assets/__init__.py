"""Assets: program sessions whose changes start DAGs."""
