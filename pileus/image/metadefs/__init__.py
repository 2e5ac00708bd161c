"""Metadata definitions: a catalogue of what the properties of images, flavors and volumes are called and may be.

A namespace holds properties, objects (named groups of properties), tags, and says for which types of resources it is.
Nothing else of the cloud depends on them: they tell people and dashboards what there is to be set.
"""
