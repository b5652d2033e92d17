"""Students: chosen, tried, trained, described, put to use on whole files."""
