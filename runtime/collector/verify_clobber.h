/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=clobber: what is looked for after each mark. */
#ifndef TRI__COLLECTOR_VERIFY_CLOBBER_H
#define TRI__COLLECTOR_VERIFY_CLOBBER_H

/* Pointers in marked objects, roots, handles and arenas that lead to freed memory or were read from
 * it, and objects that were given up and are reachable: fatal, with a report. Coordinator, between
 * the verdict of a mark and H4. */
void tri__verify_clobber(void);

#endif
