# SPDX-License-Identifier: MIT
# The cycle: marker, sweep and trigger. One file a line.

