/* SPDX-License-Identifier: BSD-3-Clause */
/* The layers under an image by the user's word: the options layer and
 * layer-format.  Where there are any, nothing that images record of their
 * parents is followed.
 */

#ifndef VDISK_TOLD_LAYERS_H
#define VDISK_TOLD_LAYERS_H

#include <stdbool.h>
#include <stddef.h>

struct format;
struct vdisk_error;

struct told_layer {
  char *name;                   /* a file or an NBD URI; owned */
  const struct format *format;  /* NULL: nobody has said */
};

struct told_layers {
  bool is_told;                 /* else the images say */
  struct told_layer *layers;    /* the one under the image first */
  size_t count;                 /* 0 and is_told: nothing lies under it */
};

void told_layers_free (struct told_layers *told);

/* Make 'to', what it is does not matter, a copy.  -1 if out of memory: then
 * it is to be freed, too. */
int told_layers_copy (struct told_layers *to, const struct told_layers *from);

/* Take a value of the option layer, or of layer-format.  'prefix' is what
 * messages have before names of options.  On error nothing is changed. */
int told_layers_add (struct told_layers *told, const char *prefix,
                     const char *value, struct vdisk_error *error);
int told_layers_set_format (struct told_layers *told, const char *prefix,
                            const char *value, struct vdisk_error *error);

/* The values of layer, at least one, and those of layer-format, one for each
 * layer, to be freed.  NULL if out of memory. */
size_t told_layers_count (const struct told_layers *told);
char *told_layers_get (const struct told_layers *told, size_t index);
char *told_layers_get_format (const struct told_layers *told, size_t index);

#endif /* VDISK_TOLD_LAYERS_H */
