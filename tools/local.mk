# SPDX-License-Identifier: MIT
# Generators and other tools for those who work on tricolor.

#EXTRA_DIST += %D%/name
