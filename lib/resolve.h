/* SPDX-License-Identifier: BSD-3-Clause */
/* Who follows references: the caller, if the options say so, or the library
 * by the rules of reference.h.
 */

#ifndef VDISK_RESOLVE_H
#define VDISK_RESOLVE_H

struct resolver;
struct vdisk_options;

/* The resolver that the options ask for. */
const struct resolver *resolver_for (const struct vdisk_options *options);

#endif /* VDISK_RESOLVE_H */
