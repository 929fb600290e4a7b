"""What a model says of draws of its parameters: their names, the densities of rows, signs.

Nothing here enters a compiled model, so a change of it leaves those that are kept.
"""
