# SPDX-License-Identifier: MIT
# Pages, spans, size classes and allocation. One file a line.

