"""A package, so that it comes before one of the same name that a dependency of the tests installs."""
