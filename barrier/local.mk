# SPDX-License-Identifier: MIT
# Write barriers. One file a line.

