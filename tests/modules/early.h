/* SPDX-License-Identifier: MIT */
/* How far early.c and early_host.c have got while the process ends. */
#ifndef EARLY_H
#define EARLY_H

#include "module.h"

enum early_stage { EARLY_RUNNING, EARLY_COLLECTED, EARLY_LOOKED_AT };

MODULE_API extern enum early_stage early_stage;

#endif
