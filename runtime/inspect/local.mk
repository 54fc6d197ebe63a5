# SPDX-License-Identifier: MIT
# Statistics, trace lines and questions about objects. One file a line.

