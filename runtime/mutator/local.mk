# SPDX-License-Identifier: MIT
# Threads, handshakes, stacks and roots. One file a line.

