"""The pages that people open: a module an area, each a list of routes, thin between the desk and a template."""
