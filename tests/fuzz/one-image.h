/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening the image of an input, and exploring it. */

#ifndef FUZZ_ONE_IMAGE_H
#define FUZZ_ONE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct format;
struct fuzz_control;
struct vdisk;

/* An input that is one image of a format.  What it refers to is the same
 * bytes as a raw file: a reference always leads somewhere. */
void fuzz_image (const struct format *format, const uint8_t *data,
                 size_t size);

/* The same, to do something else with it than to explore it. */
void fuzz_image_with (const struct format *format, const uint8_t *data,
                      size_t size,
                      void (*look) (struct vdisk *vdisk,
                                    struct fuzz_control *control));

#endif /* FUZZ_ONE_IMAGE_H */
