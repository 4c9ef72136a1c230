"""Open labelled characters, whatever they are stored in, as arrays to train on."""
