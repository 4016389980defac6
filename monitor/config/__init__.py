"""The configuration: one YAML file, whose model is assembled from the settings of the packages."""
