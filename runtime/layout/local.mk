# SPDX-License-Identifier: MIT
# Types, heap bitmaps and the walk over pointers of an object. One file a line.

