/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of what has changed. */

#include "view/mask.h"

#include "chain.h"
#include "source/source.h"
#include "util/error.h"

int
mask_append_changed (struct interval_list *out,
                     const struct interval *interval)
{
  struct interval changed = *interval;

  if (changed.kind == VDISK_HOLE) {
    changed.kind = VDISK_ZERO;
    changed.host = VDISK_NO_HOST_OFFSET;
  }
  return interval_list_append (out, &changed);
}

int
mask_append_same (struct interval_list *out, uint64_t offset, uint64_t end)
{
  const struct interval same = {
    .offset = offset, .length = end - offset, .kind = VDISK_HOLE,
    .host = VDISK_NO_HOST_OFFSET,
  };

  return interval_list_append (out, &same);
}

static int
append_all (struct interval_list *out, const struct interval_list *list)
{
  size_t i;

  for (i = 0; i < list->count; ++i)
    if (mask_append_changed (out, &list->at[i]) == -1)
      return -1;
  return 0;
}

int
mask_chain (const struct chain *chain, const struct interval_list *changed,
            struct interval_list *out, struct vdisk_error *error)
{
  struct interval_list list = { 0 };
  size_t i;
  int r = 0;

  for (i = 0; i < changed->count && r == 0; ++i) {
    const struct interval *range = &changed->at[i];
    int appended;

    if (range->kind == VDISK_HOLE)
      appended = mask_append_same (out, range->offset,
                                   range->offset + range->length);
    else {
      r = chain_map (chain, range->offset, range->length, &list, error);
      appended = append_all (out, &list);
    }
    if (appended == -1)
      r = error_no_memory (error, chain->layers[0]->source->name);
  }
  out->work += list.work;
  interval_list_free (&list);
  return r;
}
